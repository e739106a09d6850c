// What the page and the kernel say to each other about one widget: its traits, the presses of its
// Stop, and whether the kernel is still there.  Any number of panels show it.

import { KERNEL, PAGE, PHASE, RUNGS } from "./contract.js";
import { sendByControl, Sender } from "./control.js";
import { keepDraft, keepRecord } from "./record.js";
import { DEAF_MS, Presses, stopRoute } from "./stop.js";
import { turns } from "./turns.js";

/** How often the kernel is asked for a first, or another, snapshot, in ms. */
const ASK_MS = 500;
/** A kernel that hears nothing while its cell runs is not to find a heap of questions. */
export const ASK_SLOWLY_MS = 5000;
const QUICK_ASKS = 20;

/** When a press has had no visible effect for so long, in ms, the reader is told another way. */
const PATIENCE_MS = 3000;

const PRESS_INTERRUPT = "Press ■ (interrupt) to stop it.";
const NO_ANSWER = "The kernel has not answered yet. ■ (interrupt) stops the action too.";
/** An interrupt would hit another cell. */
const NO_ANSWER_IN_BACKGROUND =
  "The kernel has not answered yet: it may hear this only when the cell that runs is over.";

export class Talk {
  /**
   * @param {any} model anywidget's model of the widget.
   * @param {string[]} names Its traits.
   */
  constructor(model, names) {
    this.model = model;
    this.names = names;
    this.client = name();
    /** @type {Set<{update: () => void, close: () => void}>} */
    this.panels = new Set();
    this.presses = new Presses();
    /** What the reader is told about Stop. */
    this.hint = "";
    /** The kernel can no longer be heard. */
    this.gone = false;
    this.born = performance.now();
    this.asks = 0;
    this.timers = new Set();
    this.changing = false;
    this.sender = new Sender({
      control: (message, sure) => sendByControl(this.kernel, this.#control, message, sure),
      comm: (message) => this.gone || this.model.send(message),
      later: (ms, run) => this.later(ms, run),
    });
    this.#read();
    this.#listen();
  }

  /** Begin to talk. */
  begin() {
    this.#ask();
  }

  /** @returns {boolean} Whether the kernel has said what there is to show. */
  get heard() {
    throw new Error("not said");
  }

  /** Take a message that is for this kind of widget. @param {object} content */
  take(_content, _data) {}

  /** @returns {string} What the page shows, as text. */
  whole() {
    return "";
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

  add(panel) {
    this.panels.add(panel);
  }

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

  close() {
    for (const timer of this.timers) clearTimeout(timer);
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
    this.take(content, data);
  }

  #ask() {
    if (this.heard || this.gone) return;
    this.send(PAGE.READY);
    this.asks += 1;
    this.later(this.asks < QUICK_ASKS ? ASK_MS : ASK_SLOWLY_MS, () => this.#ask());
  }

  async #press(rung) {
    const { phase, background, pumped } = this.traits;
    const { label } = this.stop;
    const { heard } = this;
    const waited = performance.now() - this.born;
    const route = stopRoute({ phase, label, background, pumped, heard, waited });
    if (route === "send") {
      this.send(PAGE.STOP, { rung });
      this.#expect(rung);
    } else if (route === "wait") {
      this.later(Math.min(DEAF_MS - waited + 1, 50), () => this.#press(rung));
    } else if (route === "interrupt") {
      const { kernel } = this;
      if (typeof kernel?.interrupt !== "function") return this.tell(PRESS_INTERRUPT);
      try {
        await kernel.interrupt();
        this.#expect(rung);
      } catch {
        this.tell(PRESS_INTERRUPT);
      }
    }
  }

  #expect(rung) {
    const { climbed } = this;
    this.later(PATIENCE_MS, () => {
      const { rung: now, background } = this.traits;
      // A ladder that begins anew has the same rung again.
      if (this.ended || now !== rung || this.climbed !== climbed) return;
      this.tell(background ? NO_ANSWER_IN_BACKGROUND : NO_ANSWER);
    });
  }

  tell(hint) {
    this.hint = hint;
    this.update();
  }

  /** @param {string} type One of `PAGE`. @param {object} fields */
  send(type, fields = {}) {
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
    this.traits = Object.fromEntries(this.names.map((trait) => [trait, this.model.get(trait)]));
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
      this.update();
    });
  }

  #lost() {
    // A widget is closed in good order after its end.
    if (this.gone || this.model.get("phase") === PHASE.ENDED) return;
    this.gone = true;
    this.update();
  }

  /** The notebook is to have what this page has: the kernel will send no record. */
  #keep() {
    if (this.ended) return;
    try {
      keepDraft(this.model, this.traits.draft, this.whole());
    } catch (error) {
      console.warn("nomad_magic: not kept", error);
    }
  }

  update() {
    if (this.ended || this.gone) turns.done(this);
    for (const panel of this.panels) panel.update();
  }

  later(ms, run) {
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
