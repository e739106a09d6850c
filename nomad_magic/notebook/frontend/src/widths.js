// How many cells a character takes, and which ones share them: `terminal/cellwidth.py`, which says
// what the kinds and the rules are, as xterm.js asks for it.

import { CELLS } from "./contract.js";

const { version, ranges, states, mostJoined } = CELLS;
const widths = Uint8Array.from(CELLS.widths);
const joins = Uint16Array.from(CELLS.joins);

/** Above the state of a cluster stands how many characters have joined its first one. */
const COUNT = 3 + Math.log2(states);

/** All characters below take one cell, and none of them joins another one. */
export const FIRST_JOINING = 0x300;

/** @type {Uint8Array} The kind of each code point; made when the first terminal is. */
let kinds;

/** The properties of those below, for they are most of all text. */
const plain = new Uint8Array(FIRST_JOINING);

function table() {
  const made = new Uint8Array(0x110000);
  ranges.forEach((listed, kind) => {
    for (const range of listed.split(" ").filter(Boolean)) {
      const [low, high = low] = range.split("-").map((code) => parseInt(code, 16));
      made.fill(kind, low, high + 1);
    }
  });
  plain.forEach((_, code) => (plain[code] = (made[code] << 3) | (widths[made[code]] << 1)));
  return made;
}

/** What xterm.js calls a Unicode version. */
export const provider = {
  version,

  /** @param {number} code */
  wcwidth: (code) => widths[kinds[code]],

  /**
   * @param {number} code
   * @param {number} preceding The properties of the character before; 0 if there is none to join.
   */
  charProperties(code, preceding) {
    if (code < FIRST_JOINING) return plain[code];
    const kind = kinds[code];
    const before = (preceding >> 1) & 3;
    const join = before && joins[((preceding >> 3) % states) * states + kind];
    if (!join) {
      const width = widths[kind];
      // What has no width and nothing to join is nothing to join or repeat either.
      return width && (kind << 3) | (width << 1);
    }
    const width = Math.max(before, (join >> 1) & 3);
    const count = Math.min(joined(preceding) + 1, mostJoined + 1);
    return (count << COUNT) | ((join >> 3) << 3) | (width << 1) | 1;
  },
};

/**
 * @param {number} properties What `charProperties` returned.
 * @returns {number} How many characters have joined the first one of the cluster.
 */
export const joined = (properties) => properties >> COUNT;

/** @param {import("@xterm/xterm").Terminal} terminal One with `allowProposedApi`. */
export function useWidths(terminal) {
  kinds ??= table();
  terminal.unicode.register(provider);
  terminal.unicode.activeVersion = version;
}
