// When the terminals of a page draw, and its clocks tick: all at the same moment, for then the page
// is laid out and painted once, and not at all while a press of Stop waits for its answer.

/** Pages that are not seen get no animation frames. */
const HIDDEN_MS = 100;

/** How long a press waits for its answer at most, in ms; then terminals draw again. */
const FREE_MS = 250;

export class Turns {
  /** @param {(run: () => void) => () => void} next Calls a function soon; returns how to forget it. */
  constructor(next = nextFrame) {
    this.next = next;
    /** @type {Set<(share: number) => void>} */
    this.waiting = new Set();
    /** Those whose answer is awaited, and until when at most. */
    this.pressed = new Map();
    this.cancel = null;
  }

  /**
   * @param {(share: number) => void} run Called once, in the next turn, with how many have it.
   * @returns {() => void} Forget it.
   */
  take(run) {
    this.waiting.add(run);
    this.#schedule();
    return () => this.waiting.delete(run);
  }

  /** Draw nothing until `done` is called with the same object, or for a moment. */
  free(one) {
    clearTimeout(this.pressed.get(one));
    this.pressed.set(one, setTimeout(() => this.done(one), FREE_MS));
    this.cancel?.();
    this.cancel = null;
  }

  /** What was awaited is here. */
  done(one) {
    if (!this.pressed.has(one)) return;
    clearTimeout(this.pressed.get(one));
    this.pressed.delete(one);
    this.#schedule();
  }

  #schedule() {
    if (this.cancel || this.pressed.size || !this.waiting.size) return;
    this.cancel = this.next(() => {
      this.cancel = null;
      const all = [...this.waiting];
      this.waiting.clear();
      for (const run of all) run(all.length);
    });
  }
}

function nextFrame(run) {
  const turn = () => {
    forget();
    run();
  };
  const frame = requestAnimationFrame(turn);
  const timer = setTimeout(turn, HIDDEN_MS);
  const forget = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
  return forget;
}

/** The one page's. */
export const turns = new Turns();

/** @type {Set<() => void>} */
const clocks = new Set();
let ticking;

/**
 * @param {() => void} tick Called each second, together with all others.
 * @returns {() => void} No more.
 */
export function eachSecond(tick) {
  clocks.add(tick);
  ticking ??= setInterval(() => {
    for (const one of clocks) one();
  }, 1000);
  return () => {
    clocks.delete(tick);
    if (clocks.size) return;
    clearInterval(ticking);
    ticking = undefined;
  };
}
