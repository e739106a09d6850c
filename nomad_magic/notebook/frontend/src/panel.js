// What the reader sees of an action: one panel for each place where a page shows it.

import { copy } from "./clipboard.js";
import { OUTCOMES, PHASE, ROWS, UNKNOWN } from "./contract.js";
import { Screen } from "./screen.js";
import { dress } from "./sheet.js";
import { eachSecond } from "./turns.js";
import { clock, size } from "./words.js";

const SAID_MS = 2000;
const TYPING_HINT = "It may be waiting for an answer: click into the terminal and type.";
const KERNEL_GONE = "the kernel is gone: how the action ended is not known, it may still run";

export class Panel {
  /**
   * @param {import("./page.js").Page} page
   * @param {HTMLElement} el
   */
  constructor(page, el) {
    this.page = page;
    this.ended = false;
    this.unclock = null;
    this.saidTimer = 0;
    this.#build();
    el.append(this.root);
    dress(el);
    const { tty, rows, action } = page.traits;
    this.screen = new Screen(
      this.terminal,
      { tty, rows: rows || ROWS, label: `Output of ${action}` },
      {
        input: (data, reply) => {
          if (!reply || page.leads(this)) page.input(data, reply);
        },
        size: (...now) => page.leads(this) && page.resize(...now),
        stop: () => page.press(),
        copy: () => this.#copy(),
        leave: () => this.#first().focus(),
        follow: (following) => this.#followed(following),
        say: (text) => this.#say(text),
        waits: (waits) => this.#waits(waits),
      },
    );
    this.update();
    page.add(this);
  }

  /** Show what the page knows now. */
  update() {
    const { traits, gone, hint, feed, ended, stop } = this.page;
    const outcome = gone ? UNKNOWN : ended ? traits.outcome : "";
    this.root.setAttribute("aria-label", `Nomad action ${traits.action}`);
    this.root.dataset.phase = traits.phase;
    this.root.dataset.outcome = outcome;
    this.root.dataset.tone = OUTCOMES[outcome]?.tone ?? "";
    set(this.action, traits.action);
    set(this.target, traits.target);
    set(this.when, traits.when);
    set(this.mark, OUTCOMES[outcome]?.sign);
    set(this.state, this.#state(outcome));
    show(this.notice, traits.notice);
    show(this.hint, hint);
    show(this.missing, feed.skipped && `${size(feed.skipped)} left out here; the result has all of it.`);
    this.#stop(ended || gone ? { label: "", hint: "" } : stop);
    if ((ended || gone) && !this.ended) {
      this.ended = true;
      show(this.typing, "");
      this.screen.end();
    }
    this.#tick();
  }

  close() {
    this.unclock?.();
    clearTimeout(this.saidTimer);
    this.page.remove(this);
    this.screen.dispose();
    this.root.remove();
  }

  #build() {
    const part = (tag, name, attributes = {}, ...children) => {
      const element = document.createElement(tag);
      element.className = `nomad-${name}`;
      for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
      element.append(...children);
      return element;
    };
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
    // Front ends built on Lumino keep their keyboard shortcuts out of it.
    this.terminal = part("div", "terminal", { "data-lm-suppress-shortcuts": "true" });
    this.follow = part("button", "follow", { type: "button", hidden: "" }, "↓ follow");
    this.typing = part("div", "notice", { hidden: "", "aria-live": "polite" });
    this.missing = part("div", "notice", { hidden: "" });
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
      part("div", "frame", {}, this.terminal, this.follow),
      this.typing,
      this.missing,
    );
    this.stop.addEventListener("click", (event) => this.page.press(event.detail > 1));
    this.stop.addEventListener("keydown", (event) => {
      // A key held down would click again and again.
      if (event.repeat && ["Enter", " "].includes(event.key)) event.preventDefault();
    });
    this.copy.addEventListener("click", () => this.#copy());
    this.terminal.addEventListener("focusin", () => show(this.typing, ""));
    this.follow.addEventListener("click", () => {
      this.screen.toEnd();
      this.screen.focus();
    });
  }

  #state(outcome) {
    const { phase, status } = this.page.traits;
    const { stopping } = this.page;
    if (outcome === UNKNOWN) return KERNEL_GONE;
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

  #first() {
    return this.stop.hidden ? this.copy : this.stop;
  }

  #tick() {
    const { traits, gone, stopping, stoppingFor } = this.page;
    const elapsed = stopping ? stoppingFor : this.page.elapsed;
    const runs = traits.phase === PHASE.RUNNING && !gone;
    this.clock.hidden = !runs;
    if (runs) {
      set(this.clock, clock(elapsed));
      this.unclock ??= eachSecond(() => this.#tick());
    } else {
      this.unclock?.();
      this.unclock = null;
    }
  }

  #followed(following) {
    const focused = document.activeElement === this.follow;
    this.follow.hidden = following;
    if (following && focused) this.screen.focus();
  }

  async #copy() {
    const text = this.screen.text();
    this.#say((await copy(text, this.root)) ? "Copied" : "The browser does not allow copying");
  }

  #waits(waits) {
    const { ended, stopping } = this.page;
    const there = this.terminal.contains(document.activeElement);
    show(this.typing, waits && !ended && !stopping && !there && TYPING_HINT);
  }

  #say(text) {
    set(this.said, text);
    clearTimeout(this.saidTimer);
    this.saidTimer = setTimeout(() => set(this.said, ""), SAID_MS);
  }
}

/** Text that did not change is left alone: a live region would be read again. */
function set(element, text) {
  if (element.textContent !== (text || "")) element.textContent = text || "";
}

function show(element, text) {
  element.hidden = !text;
  set(element, text);
}
