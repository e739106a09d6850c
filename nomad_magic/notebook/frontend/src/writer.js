// Hands output to a terminal in turns short enough that the page answers all the while.

import { turns } from "./turns.js";

/** How much all terminals are handed in one turn, in bytes: about 5 ms of work. */
const TURN_BYTES = 1 << 16;

/**
 * In what pieces, in bytes.  Between two of them xterm.js looks at the clock and leaves the rest for
 * later: the first output that a page parses takes 20 times as long as what comes after it.
 */
const PIECE_BYTES = 1 << 12;

/**
 * @typedef {object} Entry
 * @property {Uint8Array} data
 * @property {boolean} replay It was shown before, in this page or another.
 * @property {() => string} [before] Text to write first; asked for when its turn comes.
 * @property {() => void} [done] Called once the terminal has parsed the data, or will never.
 */

export class Writer {
  /** @param {import("@xterm/xterm").Terminal} terminal */
  constructor(terminal) {
    this.terminal = terminal;
    /** What is being parsed now was shown before. */
    this.replaying = false;
    /** @type {Entry[]} */
    this.waiting = [];
    this.busy = false;
    this.closed = false;
    this.cancel = null;
  }

  /** @param {Entry} entry */
  push(entry) {
    if (this.closed) return entry.done?.();
    this.waiting.push({ ...entry });
    this.#schedule();
  }

  /** Forget what waits. */
  clear() {
    for (const { done } of this.waiting.splice(0)) done?.();
  }

  close() {
    this.closed = true;
    this.cancel?.();
    this.cancel = null;
    this.clear();
  }

  #schedule() {
    if (this.busy || this.cancel || this.closed || !this.waiting.length) return;
    this.cancel = turns.take((share) => {
      this.cancel = null;
      this.#turn(Math.max(Math.floor(TURN_BYTES / share), PIECE_BYTES));
    });
  }

  /** @param {number} room In bytes. */
  #turn(room) {
    // They may have been forgotten meanwhile.
    if (!this.waiting.length) return;
    const { replay } = this.waiting[0];
    const parts = [];
    const finished = [];
    while (this.waiting.length && room > 0) {
      const entry = this.waiting[0];
      if (entry.replay !== replay || (entry.before && parts.length)) break;
      if (entry.before) {
        parts.push(new TextEncoder().encode(entry.before()));
        entry.before = undefined;
      }
      const part = entry.data.subarray(0, room);
      parts.push(part);
      room -= part.length;
      if (part.length < entry.data.length) {
        entry.data = entry.data.subarray(part.length);
      } else {
        finished.push(this.waiting.shift());
      }
    }
    this.busy = true;
    this.replaying = replay;
    const parsed = () => {
      this.busy = false;
      this.replaying = false;
      for (const { done } of finished) done?.();
      this.#schedule();
    };
    const whole = join(parts);
    let from = 0;
    for (; whole.length - from > PIECE_BYTES; from += PIECE_BYTES) {
      this.terminal.write(whole.subarray(from, from + PIECE_BYTES));
    }
    this.terminal.write(whole.subarray(from), parsed);
  }
}

/** @param {Uint8Array[]} parts */
function join(parts) {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
