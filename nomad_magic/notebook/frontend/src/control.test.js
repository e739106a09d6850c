import assert from "node:assert/strict";
import { test } from "node:test";

import { Mail, Sender } from "./control.js";

function sender({ control = true } = {}) {
  const said = { control: [], comm: [], timers: [] };
  const made = new Sender({
    control: (message) => control && Boolean(said.control.push(message)),
    comm: (message) => said.comm.push(message),
    later: (_ms, run) => said.timers.push(run),
  });
  const wait = () => said.timers.splice(0).forEach((run) => run());
  return { made, said, wait };
}

test("what is answered on the control channel is said once", () => {
  const { made, said, wait } = sender();
  made.send({ type: "stop" }, true);
  assert.deepEqual(said.control, [{ type: "stop", number: 1 }]);
  made.heard([1]);
  wait();
  assert.deepEqual(said.comm, []);
  assert.equal(made.deaf, false);
});

test("what is not answered is repeated on the comm, in order, and so is all that follows", () => {
  const { made, said, wait } = sender();
  made.send({ type: "input", data: "a" }, true);
  made.send({ type: "ack", seq: 1 }, false);
  made.send({ type: "input", data: "b" }, true);
  wait();
  made.send({ type: "stop" }, true);
  made.send({ type: "ack", seq: 2 }, false);
  assert.deepEqual(said.comm, [
    { type: "input", data: "a", number: 1 },
    { type: "input", data: "b", number: 2 },
    { type: "stop" },
    { type: "ack", seq: 2 },
  ]);
  assert.equal(said.control.length, 3);
});

test("a late answer brings the control channel back", () => {
  const { made, said, wait } = sender();
  made.send({ type: "stop" }, true);
  wait();
  made.heard([1]);
  made.send({ type: "stop" }, true);
  assert.deepEqual(said.control.map(({ number }) => number), [1, 2]);
});

test("without a control channel the comm has it all, and no number", () => {
  const { made, said, wait } = sender({ control: false });
  made.send({ type: "stop" }, true);
  wait();
  assert.deepEqual(said.comm, [{ type: "stop" }]);
});

test("what is urgent goes at once and first, and takes along what waits", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const sent = [];
  const mail = new Mail((said) => sent.push(said));
  mail.put("ack 1", false);
  mail.put("ack 2", false);
  mail.put("ack 3", false);
  assert.deepEqual(sent, [["ack 1"]]);
  mail.put("stop", true);
  assert.deepEqual(sent[1], ["stop", "ack 2", "ack 3"]);
  mail.put("ack 4", false);
  context.mock.timers.runAll();
  assert.deepEqual(sent[2], ["ack 4"]);
  context.mock.timers.runAll();
  assert.equal(sent.length, 3);
});
