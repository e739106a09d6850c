// What the reader sees of many runs: a bar, counts, a row for each, the output of one.
//
// Of the rows only those in sight are elements of the page: a thousand of them would be ten
// thousand, and each change would have the page lay out all.

import { ROW, RUNGS, RUNNING, WAITING } from "./contract.js";
import { Frame, part, pressed, set, show } from "./frame.js";
import { KINDS } from "./rows.js";
import { eachSecond, turns } from "./turns.js";

/** How high a row is, in px, and how many are seen at once; `styles.css` has the first too. */
const ROW_PX = 26;
const SEEN = 12;

/** Rows above and below those in sight, so that scrolling finds them there. */
const SPARE = 4;

const KEYS =
  "Arrow keys go from row to row, Enter shows a row's output, Delete presses its Stop.";

let panels = 0;

export class FleetPanel extends Frame {
  /**
   * @param {import("./fleet.js").FleetPage} page
   * @param {HTMLElement} el
   */
  constructor(page, el) {
    super(page, el, "Nomad action in many allocations:");
    this.id = `nomad-fleet-${(panels += 1)}`;
    this.kind_ = "";
    /** The numbers of the rows that are listed, in their order. */
    this.order = [];
    /** The row that the keyboard is at. */
    this.at = null;
    this.inside = false;
    this.view = null;
    this.turn = null;
    this.shownModel = null;
    this.#build();
    this.update();
    page.add(this);
    this.changed();
    this.showOpened();
    this.unsecond = eachSecond(() => this.page.rows.counts.running && this.#draw());
  }

  get lost() {
    return "the kernel is gone: how they ended is not known, some may still run";
  }

  words(outcome) {
    const words = super.words(outcome);
    const { counts } = this.page.rows;
    const ended = ["failed", "stopped"].filter((kind) => counts[kind]);
    if (outcome || !ended.length) return words;
    return `${words} · ${ended.map((kind) => `${counts[kind]} ${kind}`).join(" · ")}`;
  }

  update() {
    super.update();
    if (this.list) this.changed();
  }

  /** Rows have changed: draw them in the next turn. */
  changed() {
    this.turn ??= turns.take(() => {
      this.turn = null;
      set(this.state, this.words(this.root.dataset.outcome));
      this.#count();
      this.#draw();
    });
  }

  close() {
    this.turn?.();
    this.unsecond?.();
    this.#closeView();
    super.close();
  }

  /** Show the output of the row that the page has opened. */
  async showOpened() {
    const { opened, rows, model } = this.page;
    this.detail.hidden = !opened;
    this.changed();
    const id = opened?.model ?? null;
    if (id !== this.shownModel) this.#closeView();
    this.shownModel = id;
    if (!opened) return;
    const name = rows.all[opened.row]?.[ROW.NAME] ?? "";
    set(this.heading, `Output of ${name}`);
    this.detail.setAttribute("aria-label", `Output of ${name}`);
    show(this.absent, id ? "" : "It is shown here as soon as the action was begun there.");
    if (!id || this.view) return;
    try {
      const child = await model.widget_manager.get_model(id);
      const view = await model.widget_manager.create_view(child);
      if (this.shownModel !== id || this.view) return view.remove();
      this.view = view;
      this.place.append(view.el);
    } catch (error) {
      console.warn("nomad_magic: no view of a row", error);
      show(this.absent, "This front end cannot show it here; the result has it.");
    }
  }

  #closeView() {
    this.view?.remove();
    this.view = null;
    this.place?.replaceChildren();
  }

  #build() {
    this.progress = part("div", "progress", { role: "progressbar", "aria-valuemin": "0" });
    this.parts = Object.fromEntries(
      ["failed", "stopped", "exit 0", "running"].map((kind) => {
        const element = part("span", "part");
        element.dataset.kind = kind;
        this.progress.append(element);
        return [kind, element];
      }),
    );
    this.chips = Object.fromEntries(
      ["", ...KINDS].map((kind) => {
        const chip = part("button", "chip", { type: "button", "aria-pressed": String(!kind) });
        chip.addEventListener("click", () => this.#filter(kind));
        return [kind, chip];
      }),
    );
    this.space = part("div", "space", { role: "rowgroup" });
    this.list = part(
      "div",
      "list",
      { role: "grid", tabindex: "0", "aria-label": "Allocations", "aria-description": KEYS },
      this.space,
    );
    this.list.dataset.lmSuppressShortcuts = "true";
    this.close_ = part("button", "shut", { type: "button" }, "Close");
    this.heading = part("span", "heading");
    this.absent = part("div", "notice", { hidden: "" });
    this.place = part("div", "place");
    this.detail = part(
      "div",
      "detail",
      { role: "group", hidden: "" },
      part("div", "head", {}, this.heading, this.close_),
      this.absent,
      this.place,
    );
    const chips = part("div", "chips", { role: "group", "aria-label": "Rows to list" });
    chips.append(...Object.values(this.chips));
    this.none = part("div", "none", { hidden: "" }, "None now.");
    this.root.append(this.progress, chips, this.list, this.none, this.detail);
    this.root.classList.add("nomad-fleet");
    /** The elements of rows, in their order, and the place of the first of them. */
    this.pool = [];
    this.first = 0;
    this.list.addEventListener("scroll", () => this.#drawSoon());
    this.list.addEventListener("keydown", (event) => this.#key(event));
    this.list.addEventListener("focus", () => this.#focused());
    for (const [name, inside] of [["pointerenter", true], ["pointerleave", false]]) {
      this.list.addEventListener(name, () => {
        this.inside = inside;
        if (!inside) this.changed();
      });
    }
    this.list.addEventListener("focusout", () => this.changed());
    this.close_.addEventListener("click", () => this.#shut());
    this.detail.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.target.closest(".nomad-terminal")) this.#shut();
    });
  }

  #shut() {
    this.page.open(null);
    this.list.focus({ preventScroll: true });
  }

  #filter(kind) {
    this.kind_ = kind;
    for (const [name, chip] of Object.entries(this.chips)) {
      chip.setAttribute("aria-pressed", String(name === kind));
    }
    this.#sort();
    this.list.scrollTop = 0;
    this.#draw();
  }

  #count() {
    const { rows } = this.page;
    const { counts, ended } = rows;
    const all = rows.all.length;
    set(this.chips[""], `all · ${all}`);
    for (const kind of KINDS) {
      set(this.chips[kind], `${kind} · ${counts[kind]}`);
      this.chips[kind].dataset.none = String(!counts[kind]);
    }
    for (const [kind, element] of Object.entries(this.parts)) {
      element.style.width = `${all ? (100 * counts[kind]) / all : 0}%`;
    }
    this.progress.setAttribute("aria-valuemax", String(all));
    this.progress.setAttribute("aria-valuenow", String(ended));
    this.progress.setAttribute("aria-valuetext", `${ended} of ${all} have ended`);
    // Under a pointer, or where the keyboard is, nothing moves away.
    if (!this.inside && !this.list.contains(document.activeElement)) this.#sort();
    else if (!this.order.length) this.#sort();
  }

  #sort() {
    this.order = this.page.rows.order(this.kind_);
    if (!this.order.includes(this.at)) this.at = this.order[0] ?? null;
  }

  #drawSoon() {
    this.turn ??= turns.take(() => {
      this.turn = null;
      this.#draw();
    });
  }

  #draw() {
    const { order, list } = this;
    const count = order.length;
    show(this.none, count || !this.page.heard ? "" : "None now.");
    list.hidden = !count;
    list.style.height = `${Math.min(count, SEEN) * ROW_PX}px`;
    this.space.style.height = `${count * ROW_PX}px`;
    list.setAttribute("aria-rowcount", String(count));
    const first = Math.max(0, Math.floor(list.scrollTop / ROW_PX) - SPARE);
    const last = Math.min(count, first + SEEN + 2 * SPARE);
    const now = performance.now();
    this.#scrolled(first);
    let used = 0;
    for (let place = first; place < last; place += 1, used += 1) {
      this.pool[used] ??= this.#makeRow();
      this.#drawRow(this.pool[used], order[place], place, now);
    }
    for (; used < this.pool.length; used += 1) this.pool[used].root.hidden = true;
    const active = order.indexOf(this.at);
    if (active >= first && active < last) {
      list.setAttribute("aria-activedescendant", `${this.id}-${this.at}`);
    } else list.removeAttribute("aria-activedescendant");
  }

  /**
   * Have those that go out of sight on one side come in on the other.
   *
   * So the others stay the elements of their rows: a row that is pressed and let go is clicked,
   * also where the list was scrolled in between, or just before and is drawn now.
   */
  #scrolled(first) {
    const by = first - this.first;
    this.first = first;
    if (Math.abs(by) >= this.pool.length) return;
    for (let step = 0; step < by; step += 1) {
      const made = this.pool.shift();
      this.pool.push(made);
      this.space.append(made.root);
    }
    for (let step = 0; step > by; step -= 1) {
      const made = this.pool.pop();
      this.pool.unshift(made);
      this.space.prepend(made.root);
    }
  }

  #makeRow() {
    const cell = (name, ...children) => part("span", name, { role: "gridcell" }, ...children);
    const made = {
      row: null,
      sign: part("span", "sign", { "aria-hidden": "true" }),
      name: part("span", "alloc"),
      id: cell("id"),
      node: cell("node"),
      ending: cell("ending"),
      time: cell("time"),
      line: cell("line"),
      stop: part("button", "rowstop", { type: "button", tabindex: "-1" }),
    };
    const name = cell("who", made.sign, made.name);
    const stop = cell("do", made.stop);
    made.root = part("div", "row", { role: "row" }, name, made.id, made.node, made.ending);
    made.root.append(made.time, made.line, stop);
    made.root.addEventListener("click", (event) => {
      if (event.target.closest("button")) return;
      this.at = made.row;
      this.#toggle(made.row);
    });
    pressed(made.stop, (doubled) => this.page.pressRow(made.row, made.rung, doubled));
    this.space.append(made.root);
    return made;
  }

  #drawRow(made, row, place, now) {
    const { rows, opened } = this.page;
    const known = rows.all[row];
    made.row = row;
    made.rung = known[ROW.RUNG];
    made.root.hidden = false;
    made.root.id = `${this.id}-${row}`;
    made.root.style.top = `${place * ROW_PX}px`;
    made.root.setAttribute("aria-rowindex", String(place + 1));
    made.root.setAttribute("aria-selected", String(opened?.row === row));
    made.root.dataset.tone = rows.tone(row);
    made.root.dataset.active = String(this.at === row);
    set(made.sign, rows.sign(row));
    set(made.name, known[ROW.NAME]);
    set(made.id, known[ROW.ALLOCATION]);
    set(made.node, known[ROW.NODE]);
    set(made.ending, known[ROW.ENDING]);
    set(made.line, known[ROW.LINE]);
    made.line.title = known[ROW.LINE];
    made.ending.title = known[ROW.ENDING];
    set(made.time, known[ROW.STATE] === WAITING ? "" : time(rows.seconds(row, now), known));
    const { label, hint } = this.page.gone || this.page.ended ? {} : (RUNGS[made.rung] ?? {});
    made.stop.hidden = !label;
    set(made.stop, label);
    made.stop.title = hint ?? "";
    if (label) made.stop.setAttribute("aria-label", `${label} ${known[ROW.NAME]}`);
  }

  #toggle(row) {
    this.page.open(this.page.opened?.row === row ? null : row);
    this.#draw();
  }

  #focused() {
    if (this.at === null) this.at = this.order[0] ?? null;
    this.#draw();
  }

  #key(event) {
    const { key, target } = event;
    if (target !== this.list || event.ctrlKey || event.altKey || event.metaKey) return;
    const place = Math.max(0, this.order.indexOf(this.at));
    const steps = { ArrowUp: -1, ArrowDown: 1, PageUp: -SEEN, PageDown: SEEN };
    if (key in steps) this.#go(place + steps[key]);
    else if (key === "Home") this.#go(0);
    else if (key === "End") this.#go(this.order.length - 1);
    else if (["Enter", " "].includes(key) && this.at !== null) this.#toggle(this.at);
    else if (key === "Delete" && this.at !== null) {
      // A key held down is one press.
      if (!event.repeat) this.page.pressRow(this.at, this.page.rows.all[this.at][ROW.RUNG], false);
    } else return;
    event.preventDefault();
  }

  #go(place) {
    const within = Math.min(Math.max(place, 0), this.order.length - 1);
    this.at = this.order[within] ?? null;
    const top = within * ROW_PX;
    const { scrollTop, clientHeight } = this.list;
    if (top < scrollTop) this.list.scrollTop = top;
    else if (top + ROW_PX > scrollTop + clientHeight) {
      this.list.scrollTop = top + ROW_PX - clientHeight;
    }
    this.#draw();
  }
}

/** Tenths of what has ended, whole seconds of what runs, as the clock has them. */
function time(seconds, known) {
  return known[ROW.STATE] === RUNNING ? `${Math.floor(seconds)} s` : `${seconds.toFixed(1)} s`;
}
