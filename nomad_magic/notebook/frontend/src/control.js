// The ways to the kernel: the widget's comm, and for a background run the control channel, on which
// a kernel hears while it is busy with another cell (see `control_channel.py`).

import { CONTROL_MESSAGE, CONTROL_MS } from "./contract.js";

/** Sends a page's messages, each by the way on which the kernel hears it. */
export class Sender {
  /**
   * @param {object} ways
   * @param {(message: object) => boolean} ways.control Whether it is on its way.
   * @param {(message: object) => void} ways.comm
   * @param {(ms: number, run: () => void) => void} ways.later
   */
  constructor({ control, comm, later }) {
    this.control = control;
    this.comm = comm;
    this.later = later;
    /** Nothing on the control channel is answered: something on the way lets it not pass. */
    this.deaf = false;
    this.number = 0;
    /** What was said on the control channel and not answered yet, by its number. */
    this.open = new Map();
  }

  /**
   * @param {object} message
   * @param {boolean} sure It must not be lost: repeated on the comm where no answer comes.
   */
  send(message, sure) {
    if (this.deaf) return this.comm(message);
    const numbered = sure ? { ...message, number: this.number + 1 } : message;
    if (!this.control(numbered)) return this.comm(message);
    if (!sure) return;
    this.number += 1;
    const { number } = numbered;
    this.open.set(number, numbered);
    this.later(CONTROL_MS, () => this.open.has(number) && this.#repeat());
  }

  /** @param {number[]} numbers What the kernel has heard on the control channel, however late. */
  heard(numbers) {
    for (const number of numbers) this.open.delete(number);
    this.deaf = false;
  }

  /** With their numbers, by which the kernel knows those that have come after all. */
  #repeat() {
    this.deaf = true;
    const messages = [...this.open.values()];
    this.open.clear();
    for (const message of messages) this.comm(message);
  }
}

/**
 * @param {any} kernel JupyterLab's connection to the kernel, where there is one.
 * @param {string} to The feed's name; empty where the kernel does not listen.
 * @param {object} message
 * @returns {boolean} It is on its way, as far as can be known here.
 */
export function sendByControl(kernel, to, message) {
  if (!to || typeof kernel?.sendControlMessage !== "function") return false;
  kernel.sendControlMessage({
    channel: "control",
    header: {
      msg_id: crypto.getRandomValues(new Uint32Array(4)).join("-"),
      msg_type: CONTROL_MESSAGE,
      session: kernel.clientId,
      username: kernel.username,
      date: new Date().toISOString(),
      version: "5.4",
    },
    parent_header: {},
    metadata: {},
    content: { to, message },
    buffers: [],
  });
  return true;
}
