// Hands output to a terminal in turns short enough that the page answers all the while.

import { turns } from "./turns.js";

/** How much all terminals are handed in one turn at the most, in bytes: about 5 ms of text. */
const TURN_BYTES = 1 << 16;

/**
 * The least.  Some output takes a thousand times as long as text: a dozen bytes that scroll or reset
 * the whole screen.  How much there is in a turn goes by how long the one before has taken.
 */
const LEAST_BYTES = 1 << 12;
const FIRST_BYTES = 1 << 13;

/** How long a turn may take until the next one is a smaller one, in ms; far less, and it is larger. */
const TURN_MS = 15;

/**
 * In how many pieces.  Between two of them xterm.js looks at the clock and leaves the rest for later.
 */
const PIECES = 64;
const LEAST_PIECE_BYTES = 1 << 6;

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
    this.room = FIRST_BYTES;
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
      this.#turn(Math.min(this.room, Math.max(TURN_BYTES / share, LEAST_BYTES)) | 0);
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
    const whole = join(parts);
    const piece = Math.max(Math.ceil(whole.length / PIECES), LEAST_PIECE_BYTES);
    const times = [];
    const took = () => times.push(performance.now());
    let from = 0;
    for (; whole.length - from > piece; from += piece) {
      this.terminal.write(whole.subarray(from, from + piece), took);
    }
    this.terminal.write(whole.subarray(from), () => {
      took();
      this.#pace(times, whole.length);
      this.busy = false;
      this.replaying = false;
      for (const { done } of finished) done?.();
      this.#schedule();
    });
  }

  /** @param {number[]} times When each piece was done. @param {number} bytes */
  #pace(times, bytes) {
    const each = times.slice(1).map((time, index) => time - times[index]);
    // Between some of them the page has done something else.
    const own = each.sort((a, b) => a - b).slice(0, Math.floor((each.length * 7) / 8));
    if (!own.length) return;
    const ms = own.reduce((sum, one) => sum + one, 0) * (times.length / own.length);
    if (ms > TURN_MS) this.room = Math.max(LEAST_BYTES, bytes / 2);
    else if (ms < TURN_MS / 3) this.room = Math.max(this.room, Math.min(TURN_BYTES, bytes * 2));
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
