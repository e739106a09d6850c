// What the reader sees around whatever runs: its Stop, how far it is, what there is to know.

import { copy } from "./clipboard.js";
import { OUTCOMES, PHASE, UNKNOWN } from "./contract.js";
import { dress } from "./sheet.js";
import { eachSecond } from "./turns.js";
import { clock } from "./words.js";

const SAID_MS = 2000;

export class Frame {
  /**
   * @param {import("./talk.js").Talk} page
   * @param {HTMLElement} el
   * @param {string} kind What it is, for who does not see it: "Nomad action".
   */
  constructor(page, el, kind) {
    this.page = page;
    this.kind = kind;
    this.unclock = null;
    this.saidTimer = 0;
    this.#build();
    el.append(this.root);
    dress(el);
  }

  /** What is said when the kernel is gone. */
  get lost() {
    return "the kernel is gone: how the action ended is not known, it may still run";
  }

  /** @returns {string} What the Copy button copies. */
  text() {
    return this.page.whole();
  }

  /** Show what the page knows now. */
  update() {
    const { traits, gone, hint, ended, stop } = this.page;
    const outcome = gone ? UNKNOWN : ended ? traits.outcome : "";
    this.root.setAttribute("aria-label", `${this.kind} ${traits.action}`);
    this.root.dataset.phase = traits.phase;
    this.root.dataset.outcome = outcome;
    this.root.dataset.tone = OUTCOMES[outcome]?.tone ?? "";
    set(this.action, traits.action);
    set(this.target, traits.target);
    set(this.when, traits.when);
    set(this.mark, OUTCOMES[outcome]?.sign);
    set(this.state, this.words(outcome));
    show(this.notice, traits.notice);
    show(this.hint, hint);
    this.#stop(ended || gone ? { label: "", hint: "" } : stop);
    this.tick();
  }

  close() {
    this.unclock?.();
    clearTimeout(this.saidTimer);
    this.page.remove(this);
    this.root.remove();
  }

  #build() {
    const hidden = { "aria-hidden": "true" };
    this.label = part("span", "label");
    this.stop = part("button", "stop", { type: "button" }, part("span", "square", hidden), this.label);
    this.mark = part("span", "mark", hidden);
    // Only the words are announced, when they change; the clock runs in silence.
    this.state = part("span", "state", { role: "status", "aria-live": "polite" });
    this.clock = part("span", "clock", hidden);
    this.action = part("strong", "name");
    this.target = part("span", "target");
    this.when = part("span", "when");
    this.said = part("span", "said", { "aria-live": "polite" });
    this.copy = part("button", "copy", { type: "button" }, "Copy");
    this.notice = part("div", "notice", { hidden: "" });
    this.hint = part("div", "notice", { hidden: "", "aria-live": "assertive" });
    this.root = part(
      "div",
      "action",
      { role: "group" },
      part(
        "div",
        "head",
        {},
        this.stop,
        part(
          "span",
          "main",
          {},
          part("span", "how", {}, this.mark, this.action, this.state, this.clock),
          part("span", "rest", {}, part("span", "what", {}, this.target), this.when),
        ),
        this.said,
        this.copy,
      ),
      this.notice,
      this.hint,
    );
    pressed(this.stop, (doubled) => this.page.press(doubled));
    this.copy.addEventListener("click", () => this.copyAll());
  }

  /** @param {string} outcome How it ended; empty while it runs. */
  words(outcome) {
    const { phase, status } = this.page.traits;
    const { stopping } = this.page;
    if (outcome === UNKNOWN) return this.lost;
    if (stopping) return `stopping · ${stopping}`;
    if (!status) return outcome || phase;
    // The record's own line, and the word where the line does not have it.
    return !outcome || status.startsWith(outcome) ? status : `${outcome}: ${status}`;
  }

  #stop({ label, hint }) {
    const focused = this.root.contains(document.activeElement) && document.activeElement;
    if (!label && focused === this.stop) this.copy.focus({ preventScroll: true });
    this.stop.hidden = !label;
    set(this.label, label);
    this.stop.title = hint;
    if (hint) this.stop.setAttribute("aria-description", hint);
    else this.stop.removeAttribute("aria-description");
  }

  first() {
    return this.stop.hidden ? this.copy : this.stop;
  }

  tick() {
    const { traits, gone, stopping, stoppingFor } = this.page;
    const elapsed = stopping ? stoppingFor : this.page.elapsed;
    const runs = traits.phase === PHASE.RUNNING && !gone;
    this.clock.hidden = !runs;
    if (runs) {
      set(this.clock, clock(elapsed));
      this.unclock ??= eachSecond(() => this.tick());
    } else {
      this.unclock?.();
      this.unclock = null;
    }
  }

  async copyAll() {
    const copied = await copy(this.text(), this.root);
    this.say(copied ? "Copied" : "The browser does not allow copying");
  }

  say(text) {
    set(this.said, text);
    clearTimeout(this.saidTimer);
    this.saidTimer = setTimeout(() => set(this.said, ""), SAID_MS);
  }
}

/** @param {string} name Its class, without the prefix. */
export function part(tag, name, attributes = {}, ...children) {
  const element = document.createElement(tag);
  element.className = `nomad-${name}`;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** @param {HTMLElement} button @param {(doubled: boolean) => void} run */
export function pressed(button, run) {
  button.addEventListener("click", (event) => run(event.detail > 1));
  button.addEventListener("keydown", (event) => {
    // A key held down would click again and again.
    if (event.repeat && ["Enter", " "].includes(event.key)) event.preventDefault();
  });
}

/** Text that did not change is left alone: a live region would be read again. */
export function set(element, text) {
  if (element.textContent !== (text || "")) element.textContent = text || "";
}

export function show(element, text) {
  element.hidden = !text;
  set(element, text);
}
