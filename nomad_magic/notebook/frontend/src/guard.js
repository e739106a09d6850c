// What a terminal must not be asked to do: no dozen bytes of an action's may hold up the page, and
// output writes on the screen and does nothing else.
//
// xterm.js 6.0.0 does what it is told, 2,147,483,647 times where that is the count.  Its own
// functions are called here with counts that a screen has room for; the record's terminal has the
// same bounds (`terminal/controls.py`).

import { CELLS } from "./contract.js";
import { FIRST_JOINING, joined } from "./widths.js";

/** Control sequences whose count is of rows, and xterm.js's function for each. */
const ROWS = { L: "insertLines", M: "deleteLines", S: "scrollUp", T: "scrollDown" };

/** The same for columns; intermediate characters stand before the final one. */
const COLUMNS = {
  "@": "insertChars",
  P: "deleteChars",
  X: "eraseChars",
  I: "cursorForwardTab",
  Z: "cursorBackwardTab",
  b: "repeatPrecedingCharacter",
  " @": "scrollLeft",
  " A": "scrollRight",
  "'}": "insertColumns",
  "'~": "deleteColumns",
};

/** Window titles and icons, the clipboard, notifications. */
const UNHEARD_OSC = [0, 1, 2, 9, 52, 99, 777, 1337];

/**
 * The palette, the colours of text, ground and cursor, and their way back.  Each change has xterm.js
 * write a style sheet of 600 rules, and the record has colours of its own.  What asks is answered.
 */
const COLOURS_OSC = [4, 10, 11, 12];
const COLOURS_BACK_OSC = [104, 110, 111, 112];

/** @param {import("@xterm/xterm").Terminal} terminal */
export function guard(terminal) {
  const { parser } = terminal;
  for (const number of COLOURS_BACK_OSC) parser.registerOscHandler(number, () => true);
  for (const number of COLOURS_OSC) {
    parser.registerOscHandler(number, (data) => {
      // With the palette's every second part is a number.
      const said = data.split(";").filter((_, index) => number !== 4 || index % 2);
      return said.some((part) => part !== "?");
    });
  }
  for (const number of UNHEARD_OSC) parser.registerOscHandler(number, () => true);
  // Window operations.
  parser.registerCsiHandler({ final: "t" }, () => true);
  guardErase(terminal);
  const handler = terminal._core?._inputHandler;
  clamp(terminal, handler, ROWS, () => terminal.rows);
  clamp(terminal, handler, COLUMNS, () => terminal.cols);
  guardMarks(terminal, handler);
}

function clamp(terminal, handler, sequences, most) {
  for (const [sequence, name] of Object.entries(sequences)) {
    const intermediates = sequence.slice(0, -1);
    // Not `at`: nbclassic puts an older one in its place, which has nothing at -1.
    const id = { final: sequence.slice(-1), ...(intermediates && { intermediates }) };
    terminal.parser.registerCsiHandler(id, ([count]) => {
      if (!(count > most()) || typeof handler?.[name] !== "function") return false;
      handler[name]({ params: [most()], length: 1 });
      return true;
    });
  }
}

/**
 * Erase the whole screen where xterm.js fails at it, and would write nothing ever after: from its
 * beginning to the last cell of its last row (ED 1), with nothing scrolled off yet.
 */
function guardErase(terminal) {
  const erase = ([part]) => {
    const { baseY, cursorX, cursorY } = terminal.buffer.active;
    const last = cursorX + 1 >= terminal.cols && cursorY + 1 >= terminal.rows;
    if (part !== 1 || baseY > 0 || !last) return false;
    return terminal._core._inputHandler.eraseInDisplay({ params: [2] });
  };
  terminal.parser.registerCsiHandler({ final: "J" }, erase);
  terminal.parser.registerCsiHandler({ prefix: "?", final: "J" }, erase);
}

/** Leave out what is more than a character can carry; also of what REP repeats. */
function guardMarks(terminal, handler) {
  const parser = handler?._parser;
  const unicode = terminal._core?.unicodeService;
  if (typeof handler?.print !== "function" || !parser || !unicode?.charProperties) return;
  const print = handler.print.bind(handler);
  handler.print = (data, start, end) => {
    let at = start;
    while (at < end && data[at] < FIRST_JOINING) at += 1;
    if (at === end) return print(data, start, end);
    let state =
      at > start ? unicode.charProperties(data[at - 1], 0) : parser.precedingJoinState;
    let kept;
    let length = 0;
    for (; at < end; at += 1) {
      const next = unicode.charProperties(data[at], state);
      if (joined(next) <= CELLS.mostJoined) {
        state = next;
        if (kept) kept[length++] = data[at];
      } else if (!kept) {
        kept = data.slice(start, end);
        length = at - start;
      }
    }
    if (kept) print(kept, 0, length);
    else print(data, start, end);
  };
}
