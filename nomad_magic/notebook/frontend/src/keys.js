// What a key pressed in the terminal does.

/**
 * @typedef {"stop" | "copy" | "leave" | "tab mode" | "nothing" | "browser" | "terminal"
 *   | {lines: number} | {pages: number} | "top" | "bottom"} KeyAction
 *   `browser`: the page's own business; `terminal`: typed.
 */

const SCROLLS = {
  ArrowUp: { lines: -1 },
  ArrowDown: { lines: 1 },
  PageUp: { pages: -1 },
  PageDown: { pages: 1 },
  Home: "top",
  End: "bottom",
};

/**
 * @param {KeyboardEvent} event
 * @param {{typing: boolean, selected: boolean, tabLeaves: boolean}} state `typing`: keys go to
 *   the action; `selected`: some text is.
 * @returns {KeyAction}
 */
export function keyAction(event, { typing, selected, tabLeaves }) {
  if (event.type !== "keydown") return typing ? "terminal" : "browser";
  const { key } = event;
  const control = event.ctrlKey && !event.altKey && !event.metaKey && !event.shiftKey;
  const plain = !event.ctrlKey && !event.altKey && !event.metaKey && !event.shiftKey;
  if (control && key.toLowerCase() === "c") {
    if (selected) return "copy";
    // A key held down is one press.
    if (event.repeat) return "nothing";
    // In a terminal every key is the action's; the ladder is the button's.
    return typing ? "terminal" : "stop";
  }
  // Backwards, Tab always leaves: no one is ever caught in here.
  if (key === "Tab" && event.shiftKey) return "browser";
  if (typing) {
    // Ctrl+M is Enter to a terminal, which has a key of its own.
    if (control && key.toLowerCase() === "m") return "tab mode";
    return key === "Tab" && plain && tabLeaves ? "browser" : "terminal";
  }
  if (plain && key === "Escape") return "leave";
  return plain && key in SCROLLS ? SCROLLS[key] : "browser";
}

/** What a screen reader says of the terminal. @param {boolean} typing */
export function keyHelp(typing) {
  return typing
    ? "Keys go to the action. Shift+Tab leaves the terminal. Ctrl+M makes Tab leave it too, " +
        "or not. Ctrl+C is typed, or copies what is selected."
    : "Arrow keys and Page Up or Down scroll. Tab leaves. Escape goes to the first button. " +
        "Ctrl+C stops the action, or copies what is selected.";
}
