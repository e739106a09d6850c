// The Stop button's way to the kernel, and what counts as one press.

import { PHASE } from "./contract.js";

/** A second press this soon is the same press, in ms. */
const ONE_PRESS_MS = 400;

/** How long the kernel may take to say its first word before it counts as deaf, in ms. */
export const DEAF_MS = 500;

/**
 * @param {object} known
 * @param {string} known.phase
 * @param {string} known.label What the button says.
 * @param {boolean} known.background The cell that started it is over.
 * @param {boolean} known.pumped The kernel hears messages while its cell runs.
 * @param {boolean} known.heard The kernel has answered this page.
 * @param {number} known.waited How long this page has waited for its answer, in ms.
 * @returns {"nothing" | "send" | "wait" | "interrupt"}
 */
export function stopRoute({ phase, label, background, pumped, heard, waited }) {
  // An interrupt after the end, or for a background run, would hit another cell.
  if (phase === PHASE.ENDED || !label) return "nothing";
  if (background) return "send";
  if (!pumped) return "interrupt";
  if (heard) return "send";
  return waited < DEAF_MS ? "wait" : "interrupt";
}

/** Tells a press from an accident: a double click must not climb two rungs of the ladder. */
export class Presses {
  constructor() {
    this.at = -Infinity;
    this.label = "";
  }

  /**
   * @param {string} label What the button says.
   * @param {number} now In ms.
   * @param {boolean} doubled The browser takes it for a part of a double click.
   */
  counts(label, now, doubled = false) {
    const soon = now - this.at < ONE_PRESS_MS;
    if (soon && (doubled || label === this.label)) return false;
    this.at = now;
    this.label = label;
    return true;
  }

  /** Something was typed: what is pressed next is another press. */
  forget() {
    this.at = -Infinity;
  }
}
