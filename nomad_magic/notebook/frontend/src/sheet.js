// The view's style, once for each document: with one in each view, a view that goes has the page
// compute the style of all others anew.

import terminalStyle from "@xterm/xterm/css/xterm.css";

import style from "./styles.css";

// Nested, so that other terminals of the page keep their own style.
const TEXT = `.nomad-action {\n${terminalStyle}\n}\n${style}`;

/** @type {WeakSet<Document | ShadowRoot>} */
const dressed = new WeakSet();

/** @param {Element} element Where it is now; in a tree of its own it has to be dressed there. */
export function dress(element) {
  const tree = element.getRootNode();
  // Front ends may render before the element is in the page.
  const place = tree.adoptedStyleSheets ? tree : element.ownerDocument;
  if (dressed.has(place)) return;
  dressed.add(place);
  // A sheet serves the document whose window made it.
  const sheet = new element.ownerDocument.defaultView.CSSStyleSheet();
  sheet.replaceSync(TEXT);
  place.adoptedStyleSheets.push(sheet);
}
