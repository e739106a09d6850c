// What the reader sees of an action: one panel for each place where a page shows it.

import { ROWS } from "./contract.js";
import { Frame, part, show } from "./frame.js";
import { Screen } from "./screen.js";
import { size } from "./words.js";

const TYPING_HINT = "It may be waiting for an answer: click into the terminal and type.";

export class Panel extends Frame {
  /**
   * @param {import("./page.js").Page} page
   * @param {HTMLElement} el
   */
  constructor(page, el) {
    super(page, el, "Nomad action");
    this.ended = false;
    this.#build();
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
        copy: () => this.copyAll(),
        leave: () => this.first().focus(),
        follow: (following) => this.#followed(following),
        say: (text) => this.say(text),
        waits: (waits) => this.#waits(waits),
      },
    );
    this.update();
    page.add(this);
  }

  text() {
    return this.screen.text();
  }

  update() {
    super.update();
    const { gone, feed, ended } = this.page;
    show(this.missing, feed.skipped && `${size(feed.skipped)} left out here; the result has all of it.`);
    if ((ended || gone) && !this.ended) {
      this.ended = true;
      show(this.typing, "");
      this.screen.end();
    }
  }

  close() {
    super.close();
    this.screen.dispose();
  }

  #build() {
    // Front ends built on Lumino keep their keyboard shortcuts out of it.
    this.terminal = part("div", "terminal", { "data-lm-suppress-shortcuts": "true" });
    this.follow = part("button", "follow", { type: "button", hidden: "" }, "↓ follow");
    this.typing = part("div", "notice", { hidden: "", "aria-live": "polite" });
    this.missing = part("div", "notice", { hidden: "" });
    this.root.append(
      part("div", "frame", {}, this.terminal, this.follow),
      this.typing,
      this.missing,
    );
    this.terminal.addEventListener("focusin", () => show(this.typing, ""));
    this.follow.addEventListener("click", () => {
      this.screen.toEnd();
      this.screen.focus();
    });
  }

  #followed(following) {
    const focused = document.activeElement === this.follow;
    this.follow.hidden = following;
    if (following && focused) this.screen.focus();
  }

  #waits(waits) {
    const { ended, stopping } = this.page;
    const there = this.terminal.contains(document.activeElement);
    show(this.typing, waits && !ended && !stopping && !there && TYPING_HINT);
  }
}
