// The output as the page has it: which frames are taken, what is asked for again, and the tail
// that a new view shows.  No timers, no DOM, no widget: those hand their news in.

import { KERNEL } from "./contract.js";

/** @typedef {{skipped: number, data: Uint8Array}} Piece `skipped` bytes were left out before `data` */

/**
 * @typedef {object} Step What there is to do after a message.
 * @property {boolean} [redraw] What is shown is replaced by `pieces`; else they are added to it.
 * @property {Piece[]} [pieces] What to show.
 * @property {number} [ack] Say that this frame was shown.
 * @property {boolean} [missed] Ask for a snapshot: something did not come.
 */

const BLOCK_BYTES = 1 << 16;
const SMALL_BLOCK_BYTES = 1 << 12;

/** The last part of the output, in bounded memory. */
export class Tail {
  /** @param {number} limit How many bytes are kept at least, once there are as many. */
  constructor(limit = 1 << 20) {
    this.limit = limit;
    this.clear();
  }

  clear() {
    /** @type {{skipped: number, bytes: Uint8Array, used: number}[]} */
    this.blocks = [];
    this.held = 0;
    /** Bytes that are no longer here, or never came, before the first block. */
    this.lost = 0;
  }

  /**
   * @param {Uint8Array} data Copied: frames of a few bytes must not pin a buffer each.
   * @param {number} skipped
   */
  append(data, skipped = 0) {
    let last = this.blocks.at(-1);
    if (skipped > 0) last = this.#add(data.length, skipped);
    for (let from = 0; from < data.length; ) {
      if (!last || last.used === last.bytes.length) last = this.#add(BLOCK_BYTES, 0);
      const part = data.subarray(from, from + last.bytes.length - last.used);
      last.bytes.set(part, last.used);
      last.used += part.length;
      from += part.length;
    }
    while (this.blocks.length > 1 && this.held - this.blocks[0].bytes.length >= this.limit) {
      const gone = this.blocks.shift();
      this.held -= gone.bytes.length;
      this.lost += gone.skipped + gone.used;
    }
  }

  /** @returns {Piece[]} Everything that is here; the bytes are not to be changed. */
  pieces() {
    return this.blocks.map(({ skipped, bytes, used }, index) => ({
      skipped: index === 0 ? skipped + this.lost : skipped,
      data: bytes.slice(0, used),
    }));
  }

  /** What is held is counted by room, not by use: many small pieces are bounded too. */
  #add(size, skipped) {
    const room = Math.min(Math.max(size, SMALL_BLOCK_BYTES), BLOCK_BYTES);
    const block = { skipped, bytes: new Uint8Array(room), used: 0 };
    this.blocks.push(block);
    this.held += room;
    return block;
  }
}

/** The frames of one action, as one page gets them. */
export class Feed {
  /**
   * @param {string} client This page's name: snapshots for others are none of its business.
   * @param {Tail} tail
   */
  constructor(client, tail = new Tail()) {
    this.client = client;
    this.tail = tail;
    /** @type {"waiting" | "live" | "gap"} */
    this.state = "waiting";
    /** Number of the last frame taken. */
    this.seq = 0;
    /** @type {number | null} Number of the last frame there is. */
    this.last = null;
    /** Bytes left out so far. */
    this.skipped = 0;
  }

  /** A snapshot has come. */
  get heard() {
    return this.state !== "waiting";
  }

  /** Everything the action wrote is here. */
  get complete() {
    return this.state === "live" && this.last !== null && this.seq >= this.last;
  }

  /**
   * @param {{type: string, client?: string, seq: number, skipped?: number}} message
   * @param {Uint8Array} [data]
   * @returns {Step}
   */
  take(message, data = new Uint8Array()) {
    switch (message.type) {
      case KERNEL.SNAPSHOT:
        return message.client === this.client ? this.#replace(message, data) : {};
      case KERNEL.OUTPUT:
        return this.#add(message, data);
      case KERNEL.ENDED:
        this.last = message.seq;
        return this.#check(message.seq);
      default:
        return {};
    }
  }

  #replace({ seq, skipped = 0 }, data) {
    this.state = "live";
    this.seq = seq;
    this.skipped = skipped;
    this.tail.clear();
    this.tail.append(data, skipped);
    const step = { redraw: true, pieces: [{ skipped, data }], ack: seq };
    return this.last === null ? step : { ...step, ...this.#check(this.last) };
  }

  #add({ seq, skipped = 0 }, data) {
    if (this.state !== "live") return {};
    if (seq <= this.seq) return { ack: seq };
    const gap = this.#check(seq - 1);
    if (gap.missed) return gap;
    this.seq = seq;
    this.skipped += skipped;
    this.tail.append(data, skipped);
    return { pieces: [{ skipped, data }], ack: seq };
  }

  /** Ask again, once, when frames up to this one have not all come. */
  #check(seq) {
    if (this.state !== "live" || this.seq >= seq) return {};
    this.state = "gap";
    return { missed: true };
  }
}
