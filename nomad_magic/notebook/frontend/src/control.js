// The ways to the kernel: the widget's comm, and for a background run the control channel, on which
// a kernel hears while it is busy with another cell (see `control_channel.py`).

import { CONTROL_MESSAGE, CONTROL_MS } from "./contract.js";

/** Sends a page's messages, each by the way on which the kernel hears it. */
export class Sender {
  /**
   * @param {object} ways
   * @param {(message: object, sure: boolean) => boolean} ways.control Whether it is on its way.
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
    if (!this.control(numbered, sure)) return this.comm(message);
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

/** What is not urgent is sent so much later at the most, in ms, with all else there is by then. */
const TOGETHER_MS = 50;

/**
 * The messages of all runs to one kernel.  For each that comes on the control channel, ipykernel
 * has the page hear two more, and with many runs those kept a page busy.
 */
export class Mail {
  /** @param {(said: {to: string, message: object}[]) => void} post */
  constructor(post) {
    this.post = post;
    this.waiting = [];
    this.timer = null;
    this.last = -Infinity;
  }

  /** @param {{to: string, message: object}} said @param {boolean} urgent */
  put(said, urgent) {
    const wait = this.last + TOGETHER_MS - performance.now();
    if (urgent) this.waiting.unshift(said);
    else this.waiting.push(said);
    if (urgent || wait <= 0) this.#send();
    else this.timer ??= setTimeout(() => this.#send(), wait);
  }

  #send() {
    clearTimeout(this.timer);
    this.timer = null;
    this.last = performance.now();
    this.post(this.waiting.splice(0));
  }
}

/** @type {WeakMap<object, Mail>} */
const mails = new WeakMap();

/**
 * @param {any} kernel JupyterLab's connection to the kernel, where there is one.
 * @param {string} to The feed's name; empty where the kernel does not listen.
 * @param {object} message
 * @param {boolean} urgent
 * @returns {boolean} It is on its way, as far as can be known here.
 */
export function sendByControl(kernel, to, message, urgent) {
  if (!to || typeof kernel?.sendControlMessage !== "function") return false;
  if (!mails.has(kernel)) mails.set(kernel, new Mail((said) => post(kernel, said)));
  mails.get(kernel).put({ to, message }, urgent);
  return true;
}

function post(kernel, said) {
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
    content: { said },
    buffers: [],
  });
}
