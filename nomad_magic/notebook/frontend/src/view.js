// The view's way in, called by the loader.

import { Page } from "./page.js";
import { Panel } from "./panel.js";

/**
 * @param {any} model anywidget's model of one action.
 * @returns {{render: (el: HTMLElement) => () => void, close: () => void}}
 */
export function open(model) {
  const page = new Page(model);
  return {
    render(el) {
      const panel = new Panel(page, el);
      return () => panel.close();
    },
    close: () => page.close(),
  };
}

// The tests hold the record against this very xterm.js.
export { guard } from "./guard.js";
export { lighten } from "./lighten.js";
export { useWidths } from "./widths.js";
export { Writer } from "./writer.js";
export { Terminal } from "@xterm/xterm";
