// One action in one page: its traits, its output, its messages to and from the kernel.  Any
// number of panels show it.

import { KERNEL, PAGE, PHASE, RUNGS, TRAITS } from "./contract.js";
import { sendByControl, Sender } from "./control.js";
import { Feed } from "./feed.js";
import { keepDraft, keepRecord } from "./record.js";
import { DEAF_MS, Presses, stopRoute } from "./stop.js";
import { turns } from "./turns.js";

/** How often the kernel is asked for a first, or another, snapshot, in ms. */
const ASK_MS = 500;
/** A kernel that hears nothing while its cell runs is not to find a heap of questions. */
const ASK_SLOWLY_MS = 5000;
const QUICK_ASKS = 20;

const SIZE_MS = 100;

/**
 * How often the terminal's own answers are sent, in ms, and how long they are: what asks a thousand
 * times and reads nothing would have the kernel do nothing but hear answers, and its pty holds no more.
 */
const REPLIES_MS = 50;
const MOST_REPLIES = 4096;

/** When a press has had no visible effect for so long, in ms, the reader is told another way. */
const PATIENCE_MS = 3000;

const PRESS_INTERRUPT = "Press ■ (interrupt) to stop it.";
const NO_ANSWER = "The kernel has not answered yet. ■ (interrupt) stops the action too.";
/** An interrupt would hit another cell. */
const NO_ANSWER_IN_BACKGROUND =
  "The kernel has not answered yet: it may hear this only when the cell that runs is over.";

export class Page {
  /** @param {any} model anywidget's model of the action */
  constructor(model) {
    this.model = model;
    this.client = name();
    this.feed = new Feed(this.client);
    /** @type {Set<import("./panel.js").Panel>} */
    this.panels = new Set();
    this.presses = new Presses();
    /** What the reader is told about Stop. */
    this.hint = "";
    /** The kernel can no longer be heard. */
    this.gone = false;
    this.born = performance.now();
    this.asks = 0;
    this.timers = new Set();
    this.size = null;
    this.sizeTimer = null;
    this.changing = false;
    this.replies = "";
    this.replied = -Infinity;
    this.sender = new Sender({
      control: (message, sure) => sendByControl(this.kernel, this.#control, message, sure),
      comm: (message) => this.gone || this.model.send(message),
      later: (ms, run) => this.#later(ms, run),
    });
    this.#read();
    this.#listen();
    this.#ask();
  }

  /** How long the action has run, in ms. */
  get elapsed() {
    const { elapsed_ms: elapsed } = this.traits;
    return (elapsed || 0) + performance.now() - this.seen;
  }

  /** @returns {{label: string, hint: string}} What the Stop button says, and what a press does. */
  get stop() {
    return RUNGS[this.traits.rung] ?? { label: "", hint: "" };
  }

  /** What was done to stop the action; empty while nobody has asked for that. */
  get stopping() {
    const said = RUNGS[this.traits.climbed]?.said;
    // What came of it, once that is known.
    return this.ended || !said ? "" : this.traits.deed || said;
  }

  get ended() {
    return this.traits.phase === PHASE.ENDED;
  }

  /** How long ago that was, in ms. */
  get stoppingFor() {
    return performance.now() - this.climbed;
  }

  /** The kernel, where the front end lets widgets have it: JupyterLab and Notebook do. */
  get kernel() {
    return this.model.widget_manager?.kernel ?? null;
  }

  /** @param {import("./panel.js").Panel} panel */
  add(panel) {
    this.panels.add(panel);
    const pieces = this.feed.tail.pieces();
    if (pieces.length) panel.screen.show(pieces, { replay: true }, () => {});
  }

  /** @param {import("./panel.js").Panel} panel */
  remove(panel) {
    this.panels.delete(panel);
  }

  /** The one panel that speaks for the action's terminal: its size, and its answers. */
  leads(panel) {
    return panel === this.panels.values().next().value;
  }

  /** @param {boolean} doubled The browser takes it for a part of a double click. */
  press(doubled = false) {
    const { label } = this.stop;
    if (!label || this.gone || !this.presses.counts(label, performance.now(), doubled)) return;
    turns.free(this);
    this.#press(this.traits.rung);
  }

  /** @param {string} data @param {boolean} reply */
  input(data, reply) {
    if (reply) return this.#reply(data);
    this.presses.forget();
    // In their order: what is typed may be the answer to what was asked last.
    this.#sendReplies();
    if (this.traits.tty && !this.ended) this.#send(PAGE.INPUT, { data, reply });
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
    for (const timer of this.timers) clearTimeout(timer);
    clearTimeout(this.sizeTimer);
    this.unlisten();
    turns.done(this);
    for (const panel of [...this.panels]) panel.close();
  }

  #listen() {
    const { model, kernel } = this;
    const message = (content, buffers) => this.#take(content, buffers);
    const changed = () => this.#changed();
    const died = () => this.#lost();
    const status = (_sender, state) => {
      if (!["dead", "restarting", "autorestarting"].includes(state)) return;
      this.#lost();
      this.#keep();
    };
    model.on("msg:custom", message);
    model.on("change", changed);
    model.on("comm_live_update", died);
    kernel?.statusChanged?.connect?.(status);
    this.unlisten = () => {
      model.off("msg:custom", message);
      model.off("change", changed);
      model.off("comm_live_update", died);
      kernel?.statusChanged?.disconnect?.(status);
    };
  }

  #take(content, buffers) {
    if (content.type === KERNEL.RECORD) return keepRecord(this.model, content);
    if (content.type === KERNEL.HEARD) {
      if (content.client === this.client) this.sender.heard(content.numbers);
      return;
    }
    const view = buffers?.[0];
    const data = view && new Uint8Array(view.buffer ?? view, view.byteOffset ?? 0, view.byteLength);
    const before = this.feed.heard;
    const { redraw, pieces, ack, missed } = this.feed.take(content, data);
    if (!before && this.feed.heard && this.size) this.#sendSize();
    if (pieces) this.#show(pieces, redraw, ack);
    else if (ack !== undefined) this.#ack(ack);
    if (missed) this.#askAgain(this.feed.seq);
    if (redraw || pieces?.[0].skipped) this.#update();
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
    this.#send(PAGE.ACK, { seq });
  }

  #ask() {
    if (this.feed.heard || this.gone) return;
    this.#send(PAGE.READY);
    this.asks += 1;
    this.#later(this.asks < QUICK_ASKS ? ASK_MS : ASK_SLOWLY_MS, () => this.#ask());
  }

  #askAgain(seq) {
    this.#send(PAGE.READY);
    // The question or its answer may be lost as the frame was.
    this.#later(ASK_SLOWLY_MS, () => {
      if (this.feed.state === "gap" && this.feed.seq === seq && !this.gone) this.#askAgain(seq);
    });
  }

  async #press(rung) {
    const { phase, background, pumped } = this.traits;
    const { label } = this.stop;
    const { heard } = this.feed;
    const waited = performance.now() - this.born;
    const route = stopRoute({ phase, label, background, pumped, heard, waited });
    if (route === "send") {
      this.#send(PAGE.STOP, { rung });
      this.#expect(rung);
    } else if (route === "wait") {
      this.#later(Math.min(DEAF_MS - waited + 1, 50), () => this.#press(rung));
    } else if (route === "interrupt") {
      const { kernel } = this;
      if (typeof kernel?.interrupt !== "function") return this.#tell(PRESS_INTERRUPT);
      try {
        await kernel.interrupt();
        this.#expect(rung);
      } catch {
        this.#tell(PRESS_INTERRUPT);
      }
    }
  }

  #reply(data) {
    if (!this.replies) {
      const wait = this.replied + REPLIES_MS - performance.now();
      if (wait > 0) this.#later(wait, () => this.#sendReplies());
      else queueMicrotask(() => this.#sendReplies());
    }
    if (this.replies.length + data.length <= MOST_REPLIES) this.replies += data;
  }

  #sendReplies() {
    const data = this.replies;
    this.replies = "";
    if (!data || !this.traits.tty || this.ended) return;
    this.replied = performance.now();
    this.#send(PAGE.INPUT, { data, reply: true });
  }

  #expect(rung) {
    const { climbed } = this;
    this.#later(PATIENCE_MS, () => {
      const { rung: now, background } = this.traits;
      // A ladder that begins anew has the same rung again.
      if (this.ended || now !== rung || this.climbed !== climbed) return;
      this.#tell(background ? NO_ANSWER_IN_BACKGROUND : NO_ANSWER);
    });
  }

  #tell(hint) {
    this.hint = hint;
    this.#update();
  }

  #sendSize() {
    if (!this.traits.tty || this.ended || document.hidden) return;
    const { rows, cols } = this.size;
    this.#send(PAGE.SIZE, { rows, cols });
  }

  /** @param {string} type One of `PAGE`. @param {object} fields */
  #send(type, fields = {}) {
    if (this.gone) return;
    const message = { ...fields, type, client: this.client };
    try {
      // What was shown is said again with the next frame; anything else would be missed.
      this.sender.send(message, type !== PAGE.ACK);
    } catch (error) {
      console.warn("nomad_magic: not sent", type, error);
    }
  }

  /** Whom the control channel leads to; empty after the end, when the main thread alone answers. */
  get #control() {
    return this.model.get("phase") === PHASE.ENDED ? "" : this.model.get("control");
  }

  #read() {
    const before = this.traits;
    this.traits = Object.fromEntries(TRAITS.map((trait) => [trait, this.model.get(trait)]));
    const { elapsed_ms: elapsed, rung, climbed, phase } = this.traits;
    if (before?.climbed !== climbed) this.climbed = performance.now();
    if (before?.elapsed_ms !== elapsed || before.phase !== phase) this.seen = performance.now();
    if (before?.rung !== rung || before.phase !== phase) this.hint = "";
  }

  /** Several traits change at a time; the panels hear of it once. */
  #changed() {
    if (this.changing) return;
    this.changing = true;
    queueMicrotask(() => {
      this.changing = false;
      this.#read();
      this.#update();
    });
  }

  #lost() {
    // A widget is closed in good order after its end.
    if (this.gone || this.model.get("phase") === PHASE.ENDED) return;
    this.gone = true;
    this.#update();
  }

  /** The notebook is to have what this page has: the kernel will send no record. */
  #keep() {
    if (this.ended) return;
    const [panel] = this.panels;
    try {
      keepDraft(this.model, this.traits.draft, panel?.screen.whole() ?? "");
    } catch (error) {
      console.warn("nomad_magic: not kept", error);
    }
  }

  #update() {
    if (this.ended || this.gone) turns.done(this);
    for (const panel of this.panels) panel.update();
  }

  #later(ms, run) {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      run();
    }, ms);
    this.timers.add(timer);
  }
}

function name() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
