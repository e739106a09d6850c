// One terminal on the page: xterm.js, as high as what it shows, in the front end's colours.

import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";

import { guard } from "./guard.js";
import { keyAction, keyHelp } from "./keys.js";
import { lighten } from "./lighten.js";
import { linkHandler } from "./links.js";
import { dress } from "./sheet.js";
import { theme, watchTheme } from "./theme.js";
import { useWidths } from "./widths.js";
import { leftOut } from "./words.js";
import { Writer } from "./writer.js";

const SCROLLBACK_LINES = 5000;
const MOST_COLUMNS = 1000;

/** How long an action is silent before it is looked at whether it has asked something, in ms. */
const SILENCE_MS = 1500;

/** CAN: gives up whatever control sequence a cut went through. */
const CANCEL = "\x18";
const HIDE_CURSOR = "\x1b[?25l";

/**
 * @typedef {object} Callbacks
 * @property {(data: string, reply: boolean) => void} input Typed; or `reply`: the terminal
 *   itself answers a question of the action's.
 * @property {(rows: number, cols: number) => void} size The terminal has this size now.
 * @property {() => void} stop
 * @property {() => void} copy
 * @property {() => void} leave
 * @property {(following: boolean) => void} follow The end is shown, or no longer.
 * @property {(text: string) => void} say
 * @property {(waits: boolean) => void} waits The action seems to wait for what is typed, or no longer.
 */

export class Screen {
  /**
   * @param {HTMLElement} host
   * @param {{tty: boolean, rows: number, label: string}} options
   * @param {Callbacks} callbacks
   */
  constructor(host, { tty, rows, label }, callbacks) {
    this.host = host;
    this.tty = tty;
    this.rows = rows;
    this.label = label;
    this.callbacks = callbacks;
    this.typing = tty;
    this.tabLeaves = false;
    this.opened = false;
    this.opening = 0;
    this.silence = 0;
    this.following = true;
    this.used = 1;
    this.terminal = new Terminal({
      // Widths are part of it.
      allowProposedApi: true,
      rows,
      convertEol: !tty,
      cursorBlink: false,
      cursorInactiveStyle: tty ? "outline" : "none",
      disableStdin: !tty,
      lineHeight: 1.2,
      linkHandler: linkHandler(host),
      logLevel: "off",
      minimumContrastRatio: 4.5,
      scrollback: SCROLLBACK_LINES,
    });
    this.fit = new FitAddon();
    this.terminal.loadAddon(this.fit);
    this.writer = new Writer(this.terminal);
    useWidths(this.terminal);
    guard(this.terminal);
    this.#listen();
    // Front ends may render before the element is in the page; nothing can be measured there.
    this.sizes = new ResizeObserver(() => this.#resized());
    this.sizes.observe(host);
    this.unwatch = watchTheme(host, () => this.#dress());
  }

  /**
   * @param {import("./feed.js").Piece[]} pieces
   * @param {{redraw?: boolean, replay?: boolean}} how `redraw`: they replace everything;
   *   `replay`: the action has had its answers to them before.
   * @param {() => void} done Called once they were parsed, or never will be.
   */
  show(pieces, { redraw = false, replay = false }, done) {
    if (redraw) {
      this.writer.clear();
      this.#push({ data: new Uint8Array(), replay, before: () => `${CANCEL}\x1bc` });
    }
    if (!pieces.length) return done();
    pieces.forEach(({ skipped, data }, index) => {
      this.#push({
        data,
        replay,
        before: skipped > 0 ? () => this.#notice(skipped) : undefined,
        done: index === pieces.length - 1 ? done : undefined,
      });
    });
  }

  /** The action takes no more keys. */
  end() {
    this.typing = false;
    this.terminal.options.disableStdin = true;
    this.terminal.options.cursorInactiveStyle = "none";
    this.#push({ data: new Uint8Array(), replay: true, before: () => HIDE_CURSOR });
    this.#describe();
  }

  /** What is selected, else everything that is there, as plain text. */
  text() {
    return this.terminal.hasSelection() ? this.terminal.getSelection() : this.whole();
  }

  /** All that it holds. */
  whole() {
    const buffer = this.terminal.buffer.active;
    const lines = [];
    for (let index = 0; index < buffer.length; index += 1) {
      const line = buffer.getLine(index);
      // A line that was folded for its length is one line.
      const folded = buffer.getLine(index + 1)?.isWrapped ?? false;
      const text = line.translateToString(!folded);
      if (line.isWrapped && lines.length) lines.push(lines.pop() + text);
      else lines.push(text);
    }
    while (lines.length && !lines.at(-1)) lines.pop();
    return lines.length ? `${lines.join("\n")}\n` : "";
  }

  focus() {
    this.terminal.focus();
  }

  toEnd() {
    this.terminal.scrollToBottom();
    this.#follow();
  }

  dispose() {
    clearTimeout(this.opening);
    clearTimeout(this.silence);
    this.unwatch();
    this.sizes.disconnect();
    this.writer.close();
    this.terminal.dispose();
  }

  #push(entry) {
    const { before } = entry;
    // A reset shows the cursor again, which says something only where one can type.
    const hide = before && !this.typing ? () => before() + HIDE_CURSOR : before;
    this.writer.push({ ...entry, before: hide });
  }

  /** A line that says what is missing, and a terminal that is in no odd mode after it. */
  #notice(skipped) {
    const { active } = this.terminal.buffer;
    const normal = active.type === "alternate" ? "\x1b[?1049l" : "";
    const newline = active.cursorX > 0 || normal ? "\r\n" : "";
    return `${CANCEL}${normal}\x1b[!p\x1b[?7h${newline}\x1b[90m${leftOut(skipped)}\x1b[0m\r\n`;
  }

  #listen() {
    const { terminal, callbacks } = this;
    let typed = true;
    const core = terminal._core?.coreService;
    if (core?.onUserInput) {
      // The public event does not tell a key from an answer that the terminal gives by itself.
      typed = false;
      core.onUserInput(() => (typed = true));
    }
    terminal.onData((data) => {
      const reply = !typed;
      if (core?.onUserInput) typed = false;
      if (reply && this.writer.replaying) return;
      callbacks.input(data, reply);
    });
    terminal.onWriteParsed(() => {
      // To measure what is as high as it was would have the page laid out for nothing.
      if (this.used < this.#usedRows()) this.#grow();
      this.#watch();
    });
    terminal.onRender(() => this.#follow());
    terminal.onScroll(() => this.#follow());
    terminal.attachCustomKeyEventHandler((event) => this.#key(event));
    // A full-screen program takes the wheel only from who is at work in it; else the page scrolls.
    terminal.attachCustomWheelEventHandler(
      () => terminal.buffer.active.type === "normal" || this.host.contains(document.activeElement),
    );
  }

  /** An action that says nothing more in the middle of a line has asked something, mostly. */
  #watch() {
    this.callbacks.waits(false);
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      const { active } = this.terminal.buffer;
      const line = active.getLine(active.baseY + active.cursorY)?.translateToString(true) ?? "";
      const asks = active.type === "normal" && active.cursorX > 0 && line.trim();
      this.callbacks.waits(Boolean(this.typing && asks));
    }, SILENCE_MS);
  }

  /** @returns {boolean} The key is the terminal's. */
  #key(event) {
    const { terminal, callbacks } = this;
    const selected = terminal.hasSelection();
    const { typing, tabLeaves } = this;
    const action = keyAction(event, { typing, selected, tabLeaves });
    if (action === "terminal") return true;
    if (action === "browser") return false;
    event.preventDefault();
    event.stopPropagation();
    if (action === "stop") callbacks.stop();
    else if (action === "copy") callbacks.copy();
    else if (action === "leave") callbacks.leave();
    else if (action === "top") terminal.scrollToTop();
    else if (action === "bottom") terminal.scrollToBottom();
    else if (action === "tab mode") {
      this.tabLeaves = !tabLeaves;
      callbacks.say(this.tabLeaves ? "Tab leaves the terminal" : "Tab goes to the action");
    } else if (action.lines) terminal.scrollLines(action.lines);
    else if (action.pages) terminal.scrollPages(action.pages);
    return false;
  }

  /** In a turn of its own: the page has just been laid out, and this takes as long again. */
  #openSoon() {
    this.opening ||= setTimeout(() => {
      this.opening = 0;
      if (!this.host.isConnected || this.host.clientWidth === 0) return;
      this.#open();
      this.#resized();
    });
  }

  #open() {
    this.opened = true;
    dress(this.host);
    this.#dress();
    this.terminal.open(this.host);
    lighten(this.terminal);
    this.#describe();
    const { textarea } = this.terminal;
    let pointed = false;
    this.host.addEventListener("pointerdown", () => {
      pointed = true;
      setTimeout(() => (pointed = false));
    });
    textarea.addEventListener("focus", () => {
      // Who comes by keyboard may be listening: from then on the rows can be read, and what
      // comes is said.  For all others that would be work for nothing.
      if (!pointed) this.terminal.options.screenReaderMode = true;
    });
  }

  #describe() {
    const { textarea } = this.terminal;
    if (!textarea) return;
    textarea.setAttribute("aria-label", this.label);
    textarea.setAttribute("aria-description", keyHelp(this.typing));
  }

  #dress() {
    const { options } = this.terminal;
    const style = getComputedStyle(this.host);
    options.fontFamily = style.fontFamily;
    options.fontSize = parseFloat(style.fontSize) || 13;
    options.theme = theme(this.host, this.tty);
    if (this.opened) this.#resized();
  }

  #resized() {
    if (!this.host.isConnected || this.host.clientWidth === 0) return;
    if (!this.opened) return this.#openSoon();
    const cols = Math.min(this.fit.proposeDimensions()?.cols ?? 0, MOST_COLUMNS);
    if (!cols) return;
    if (cols !== this.terminal.cols || this.rows !== this.terminal.rows) {
      this.terminal.resize(cols, this.rows);
    }
    this.callbacks.size(this.rows, cols);
    this.#grow();
  }

  /** The terminal has all its rows from the start; what is not used yet is cut off below. */
  #grow() {
    this.used = Math.max(this.used, this.#usedRows());
    if (!this.opened) return;
    const { element } = this.terminal;
    const screen = element.querySelector(".xterm-screen");
    const padding = element.offsetHeight - screen.offsetHeight;
    const height = (screen.offsetHeight / this.terminal.rows) * this.used + padding;
    const text = `${Math.ceil(height)}px`;
    if (this.host.style.height !== text) this.host.style.height = text;
  }

  #usedRows() {
    const { rows } = this.terminal;
    const { active } = this.terminal.buffer;
    if (active.baseY > 0 || active.type === "alternate") return rows;
    for (let row = rows - 1; row >= this.used; row -= 1) {
      if ((this.typing && row === active.cursorY) || active.getLine(row)?.translateToString(true)) {
        return row + 1;
      }
    }
    return this.used;
  }

  #follow() {
    const { viewportY, baseY } = this.terminal.buffer.active;
    const following = viewportY >= baseY;
    if (following === this.following) return;
    this.following = following;
    this.callbacks.follow(following);
  }
}
