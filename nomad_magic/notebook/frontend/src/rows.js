// A fleet's rows as the page knows them: their order, their counts, what of them is shown.

import { INTERRUPTED, OUTCOMES, ROW, RUNNING, STOPPED, SUCCEEDED, WAITING } from "./contract.js";

/** What rows can be narrowed to, in the order in which they are listed: failures first. */
export const KINDS = ["failed", "running", "waiting", "stopped", "exit 0"];

const KIND_OF = {
  [RUNNING]: "running",
  [WAITING]: "waiting",
  [STOPPED]: "stopped",
  [SUCCEEDED]: "exit 0",
};

/** How a row's state looks. */
const LOOKS = { ...OUTCOMES, [STOPPED]: OUTCOMES[INTERRUPTED] };

/** A row's fields that a change has. */
const CHANGING = ROW.NAME;

export class Rows {
  constructor() {
    /** @type {any[][]} Each by `ROW`, and when it was heard of, in ms. */
    this.all = [];
    this.counts = Object.fromEntries(KINDS.map((kind) => [kind, 0]));
  }

  /** Take all rows. @param {any[][]} rows @param {number} now In ms. */
  fill(rows, now) {
    this.all = [];
    for (const kind of KINDS) this.counts[kind] = 0;
    for (const row of rows) {
      this.all[row[ROW.ROW]] = [...row, now];
      this.counts[kindOf(row)] += 1;
    }
  }

  /** Take those that have changed. @param {any[][]} rows @param {number} now In ms. */
  change(rows, now) {
    for (const row of rows) {
      const known = this.all[row[ROW.ROW]];
      if (!known) continue;
      this.counts[kindOf(known)] -= 1;
      this.counts[kindOf(row)] += 1;
      for (let field = 0; field < CHANGING; field += 1) known[field] = row[field];
      known[HEARD] = now;
    }
  }

  get ended() {
    return this.counts.failed + this.counts.stopped + this.counts["exit 0"];
  }

  /**
   * @param {string} kind One of `KINDS`; empty for all.
   * @returns {number[]} The numbers of the rows, failures first.
   */
  order(kind) {
    const found = Object.fromEntries(KINDS.map((one) => [one, []]));
    for (const row of this.all) found[kindOf(row)].push(row[ROW.ROW]);
    return kind ? found[kind] : KINDS.flatMap((one) => found[one]);
  }

  /** How long a row has run, or ran, in seconds. @param {number} now In ms. */
  seconds(row, now) {
    const known = this.all[row];
    const since = known[ROW.STATE] === RUNNING ? (now - known[HEARD]) / 1000 : 0;
    return known[ROW.SECONDS] + since;
  }

  sign(row) {
    return LOOKS[this.all[row][ROW.STATE]]?.sign ?? "·";
  }

  tone(row) {
    return LOOKS[this.all[row][ROW.STATE]]?.tone ?? "";
  }

  /** All of them as text, one in a line. @param {number} now In ms. */
  text(now) {
    const lines = this.order("").map((row) => {
      const known = this.all[row];
      const words = [known[ROW.NAME], known[ROW.ALLOCATION], known[ROW.NODE], known[ROW.ENDING]];
      if (known[ROW.STATE] !== WAITING) words.push(`${this.seconds(row, now).toFixed(1)} s`);
      words.push(known[ROW.LINE]);
      return `${this.sign(row)} ${words.filter(Boolean).join("  ")}`;
    });
    return lines.join("\n");
  }
}

const HEARD = ROW.NODE + 1;

function kindOf(row) {
  return KIND_OF[row[ROW.STATE]] ?? "failed";
}
