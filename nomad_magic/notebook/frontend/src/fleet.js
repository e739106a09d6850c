// Many runs in one page: their rows, and which of them has its output shown.

import { FLEET_TRAITS, KERNEL, PAGE, RUNGS } from "./contract.js";
import { Rows } from "./rows.js";
import { Presses, stopRoute } from "./stop.js";
import { Talk } from "./talk.js";
import { turns } from "./turns.js";

const NOT_HEARD = "The kernel does not hear this page now: ■ (interrupt) stops all of them.";

export class FleetPage extends Talk {
  /** @param {any} model anywidget's model of the fleet */
  constructor(model) {
    super(model, FLEET_TRAITS);
    this.rows = new Rows();
    this.seq = null;
    /** The row whose output is shown, and the id of the model that shows it once it is known. */
    this.opened = null;
    /** @type {Map<number, Presses>} */
    this.rowPresses = new Map();
    this.decoder = new TextDecoder();
    this.begin();
  }

  get heard() {
    return this.seq !== null;
  }

  /** @returns {{label: string, hint: string}} What the button for all says, and what it does. */
  get stop() {
    const { label, hint } = super.stop;
    return { label: label && `${label} all`, hint };
  }

  whole() {
    return this.rows.text(performance.now());
  }

  /** Show a row's output, and of no other; null shows none. @param {number | null} row */
  open(row) {
    if (this.opened?.row === row) return;
    this.opened = row === null ? null : { row, model: null };
    this.send(PAGE.ROW_OPEN, { row });
    for (const panel of this.panels) panel.showOpened();
  }

  /** @param {number} row @param {string} rung What its button names. @param {boolean} doubled */
  pressRow(row, rung, doubled) {
    const { label } = RUNGS[rung] ?? { label: "" };
    const presses = this.rowPresses.get(row) ?? new Presses();
    this.rowPresses.set(row, presses);
    if (!label || this.gone || !presses.counts(label, performance.now(), doubled)) return;
    const { phase, background, pumped } = this.traits;
    const { heard } = this;
    const route = stopRoute({ phase, label, background, pumped, heard, waited: Infinity });
    if (route === "send") this.send(PAGE.ROW_STOP, { row, rung });
    else if (route === "interrupt") this.tell(NOT_HEARD);
  }

  take(content, data) {
    if (content.type === KERNEL.ROW) return this.#model(content);
    if (content.type !== KERNEL.ROWS) return;
    const { client, seq } = content;
    if (client && client !== this.client) return;
    const rows = JSON.parse(this.decoder.decode(data));
    const now = performance.now();
    if (client) {
      this.rows.fill(rows, now);
      // Before it is known where it runs there are no rows, and it is asked again.
      this.seq = rows.length ? seq : this.seq;
    } else if (this.heard) {
      this.rows.change(rows, now);
      // Something was lost on the way: all of them again.
      if (seq !== this.seq + 1) this.send(PAGE.READY);
      this.seq = seq;
    } else return;
    for (const panel of this.panels) panel.changed();
    turns.take(() => this.send(PAGE.ACK, { seq }));
  }

  #model({ row, model }) {
    if (this.opened?.row !== row) return;
    this.opened = { row, model };
    for (const panel of this.panels) panel.showOpened();
  }
}
