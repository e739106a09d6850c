// The way to a kernel that is busy with another cell: its control channel (see
// `control_channel.py`).

import { CONTROL_MESSAGE } from "./contract.js";

/**
 * @param {any} kernel JupyterLab's connection to the kernel, where there is one.
 * @param {string} to The feed's name; empty where the kernel does not listen.
 * @param {object} message
 * @returns {boolean} It is on its way.
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
