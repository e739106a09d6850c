// One action in one page: its output, and what is typed.

import { PAGE, TRAITS } from "./contract.js";
import { Feed } from "./feed.js";
import { ASK_SLOWLY_MS, Talk } from "./talk.js";

const SIZE_MS = 100;

/**
 * How often the terminal's own answers are sent, in ms, and how long they are: what asks a thousand
 * times and reads nothing would have the kernel do nothing but hear answers, and its pty holds no more.
 */
const REPLIES_MS = 50;
const MOST_REPLIES = 4096;

export class Page extends Talk {
  /** @param {any} model anywidget's model of the action */
  constructor(model) {
    super(model, TRAITS);
    this.feed = new Feed(this.client);
    this.size = null;
    this.sizeTimer = null;
    this.replies = "";
    this.replied = -Infinity;
    this.begin();
  }

  get heard() {
    return this.feed.heard;
  }

  whole() {
    const [panel] = this.panels;
    return panel?.screen.whole() ?? "";
  }

  /** @param {import("./panel.js").Panel} panel */
  add(panel) {
    super.add(panel);
    const pieces = this.feed.tail.pieces();
    if (pieces.length) panel.screen.show(pieces, { replay: true }, () => {});
  }

  /** @param {string} data @param {boolean} reply */
  input(data, reply) {
    if (reply) return this.#reply(data);
    this.presses.forget();
    // In their order: what is typed may be the answer to what was asked last.
    this.#sendReplies();
    if (this.traits.tty && !this.ended) this.send(PAGE.INPUT, { data, reply });
  }

  /** The leading panel's terminal has this size. */
  resize(rows, cols) {
    if (this.size?.rows === rows && this.size.cols === cols) return;
    const first = this.size === null;
    this.size = { rows, cols };
    clearTimeout(this.sizeTimer);
    if (first) this.#sendSize();
    else this.sizeTimer = setTimeout(() => this.#sendSize(), SIZE_MS);
  }

  close() {
    clearTimeout(this.sizeTimer);
    super.close();
  }

  take(content, data) {
    const before = this.feed.heard;
    const { redraw, pieces, ack, missed } = this.feed.take(content, data);
    if (!before && this.feed.heard && this.size) this.#sendSize();
    if (pieces) this.#show(pieces, redraw, ack);
    else if (ack !== undefined) this.#ack(ack);
    if (missed) this.#askAgain(this.feed.seq);
    if (redraw || pieces?.[0].skipped) this.update();
  }

  /** The kernel hears of a frame once every terminal that shows it is done with it. */
  #show(pieces, redraw, ack) {
    let left = this.panels.size;
    if (!left) return this.#ack(ack);
    const done = () => {
      left -= 1;
      if (!left) this.#ack(ack);
    };
    for (const panel of this.panels) panel.screen.show(pieces, { redraw, replay: redraw }, done);
  }

  #ack(seq) {
    this.send(PAGE.ACK, { seq });
  }

  #askAgain(seq) {
    this.send(PAGE.READY);
    // The question or its answer may be lost as the frame was.
    this.later(ASK_SLOWLY_MS, () => {
      if (this.feed.state === "gap" && this.feed.seq === seq && !this.gone) this.#askAgain(seq);
    });
  }

  #reply(data) {
    if (!this.replies) {
      const wait = this.replied + REPLIES_MS - performance.now();
      if (wait > 0) this.later(wait, () => this.#sendReplies());
      else queueMicrotask(() => this.#sendReplies());
    }
    if (this.replies.length + data.length <= MOST_REPLIES) this.replies += data;
  }

  #sendReplies() {
    const data = this.replies;
    this.replies = "";
    if (!data || !this.traits.tty || this.ended) return;
    this.replied = performance.now();
    this.send(PAGE.INPUT, { data, reply: true });
  }

  #sendSize() {
    if (!this.traits.tty || this.ended || document.hidden) return;
    const { rows, cols } = this.size;
    this.send(PAGE.SIZE, { rows, cols });
  }
}
