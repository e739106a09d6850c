import assert from "node:assert/strict";
import { test } from "node:test";

import { Turns } from "./turns.js";

function made() {
  const frames = [];
  const turns = new Turns((run) => {
    frames.push(run);
    return () => frames.splice(frames.indexOf(run), 1);
  });
  return { turns, frames, frame: () => frames.splice(0).forEach((run) => run()) };
}

test("all that wait have the next turn together, and know how many they are", () => {
  const { turns, frames, frame } = made();
  const shares = [];
  for (let index = 0; index < 3; index += 1) turns.take((share) => shares.push(share));
  assert.equal(frames.length, 1);
  frame();
  assert.deepEqual(shares, [3, 3, 3]);
  frame();
  assert.equal(shares.length, 3);
});

test("who no longer wants a turn has none, and who asks in a turn has the next one", () => {
  const { turns, frame } = made();
  const had = [];
  turns.take(() => had.push("left"))();
  turns.take(() => turns.take(() => had.push("again")));
  frame();
  assert.deepEqual(had, []);
  frame();
  assert.deepEqual(had, ["again"]);
});

test("while a press waits for its answer there is no turn, and then there is", () => {
  const { turns, frames, frame } = made();
  const had = [];
  const [one, other] = [{}, {}];
  turns.take(() => had.push("before"));
  turns.free(one);
  turns.free(other);
  turns.take(() => had.push("meanwhile"));
  assert.equal(frames.length, 0);
  turns.done(one);
  turns.done(one);
  assert.equal(frames.length, 0);
  turns.done(other);
  frame();
  assert.deepEqual(had, ["before", "meanwhile"]);
});

test("a press that is not answered holds up nothing for long", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { turns, frames } = made();
  turns.take(() => {});
  turns.free({});
  context.mock.timers.runAll();
  assert.equal(frames.length, 1);
});
