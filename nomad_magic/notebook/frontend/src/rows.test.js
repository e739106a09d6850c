import assert from "node:assert/strict";
import test from "node:test";

import { ROW, RUNNING, STOPPED, SUCCEEDED, WAITING } from "./contract.js";
import { KINDS, Rows } from "./rows.js";

const STATES = [WAITING, RUNNING, SUCCEEDED, "failed", STOPPED, "connection lost"];

const row = (number, state, seconds = 0) => [
  ...[number, state, state, seconds, "interrupt", `line of ${number}`],
  ...[`cache.redis[${number}]`, `0000000${number}`, "node"],
];

test("failures are listed first, then what runs, what waits, what was stopped", () => {
  const rows = new Rows();
  rows.fill(STATES.map((state, number) => row(number, state)), 0);
  assert.deepEqual(rows.order(""), [3, 5, 1, 0, 4, 2]);
  assert.deepEqual(rows.order("failed"), [3, 5]);
  assert.deepEqual(rows.order("stopped"), [4]);
  assert.deepEqual([3, 4].map((one) => rows.tone(one)), ["bad", "unsure"]);
  assert.deepEqual(rows.order("waiting"), [0]);
  assert.equal(rows.ended, 4);
});

test("counts are right after any changes", () => {
  const rows = new Rows();
  const count = 50;
  rows.fill(Array.from({ length: count }, (_, number) => row(number, WAITING)), 0);
  let chance = 1;
  const random = (most) => (chance = (chance * 48271) % 2147483647) % most;
  for (let round = 0; round < 500; round += 1) {
    rows.change([row(random(count), STATES[random(STATES.length)]).slice(0, ROW.NAME)], round);
    const listed = Object.fromEntries(KINDS.map((kind) => [kind, rows.order(kind).length]));
    assert.deepEqual(rows.counts, listed);
    assert.equal(rows.order("").length, count);
  }
  assert.equal(rows.all[7][ROW.NAME], "cache.redis[7]");
});

test("only what runs grows older", () => {
  const rows = new Rows();
  rows.fill([row(0, RUNNING, 2), row(1, SUCCEEDED, 2), row(2, WAITING)], 1000);
  assert.deepEqual([0, 1, 2].map((one) => rows.seconds(one, 4000)), [5, 2, 0]);
});

test("a row that is not known is passed over", () => {
  const rows = new Rows();
  rows.fill([row(0, RUNNING)], 0);
  rows.change([row(9, "failed").slice(0, ROW.NAME)], 0);
  assert.deepEqual(rows.order(""), [0]);
});

test("as text it is whole, one in a line", () => {
  const rows = new Rows();
  rows.fill([row(0, RUNNING, 1), row(1, "failed", 0.25), row(2, WAITING)], 0);
  const lines = rows.text(500).split("\n");
  assert.equal(lines[0], "✖ cache.redis[1]  00000001  node  failed  0.3 s  line of 1");
  assert.equal(lines[1], "▶ cache.redis[0]  00000000  node  running  1.5 s  line of 0");
  assert.equal(lines[2], "· cache.redis[2]  00000002  node  waiting  line of 2");
});
