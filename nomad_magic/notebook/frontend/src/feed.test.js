import assert from "node:assert/strict";
import { test } from "node:test";

import { Feed, Tail } from "./feed.js";

const bytes = (text) => new TextEncoder().encode(text);
const text = (pieces) =>
  pieces.map(({ skipped, data }) => (skipped ? `[${skipped}]` : "") + new TextDecoder().decode(data)).join("");

function live(seq = 0) {
  const feed = new Feed("me");
  feed.take({ type: "snapshot", client: "me", seq, skipped: 0 }, bytes("head "));
  return feed;
}

test("live frames before the snapshot are dropped", () => {
  const feed = new Feed("me");
  assert.deepEqual(feed.take({ type: "output", seq: 1 }, bytes("early")), {});
  assert.equal(feed.heard, false);
});

test("a snapshot for another page changes nothing", () => {
  const feed = new Feed("me");
  assert.deepEqual(feed.take({ type: "snapshot", client: "you", seq: 3 }, bytes("theirs")), {});
  assert.equal(feed.heard, false);
});

test("a snapshot replaces everything, and frames go on after it", () => {
  const feed = live(4);
  assert.deepEqual(feed.take({ type: "output", seq: 4 }, bytes("again")), { ack: 4 });
  const step = feed.take({ type: "output", seq: 5 }, bytes("tail"));
  assert.equal(step.ack, 5);
  assert.equal(step.redraw, undefined);
  assert.equal(text(feed.tail.pieces()), "head tail");
});

test("a gap is asked for once, and frames are dropped until the next snapshot", () => {
  const feed = live();
  feed.take({ type: "output", seq: 1 }, bytes("a"));
  assert.deepEqual(feed.take({ type: "output", seq: 3 }, bytes("c")), { missed: true });
  assert.deepEqual(feed.take({ type: "output", seq: 4 }, bytes("d")), {});
  const step = feed.take({ type: "snapshot", client: "me", seq: 4, skipped: 7 }, bytes("abcd"));
  assert.equal(step.redraw, true);
  assert.equal(feed.skipped, 7);
  assert.equal(text(feed.tail.pieces()), "[7]abcd");
  assert.equal(feed.take({ type: "output", seq: 5 }, bytes("e")).ack, 5);
});

test("the end is only complete with every frame", () => {
  const feed = live();
  feed.take({ type: "output", seq: 1 }, bytes("a"));
  assert.deepEqual(feed.take({ type: "ended", seq: 2 }), { missed: true });
  assert.equal(feed.complete, false);
  feed.take({ type: "snapshot", client: "me", seq: 2 }, bytes("ab"));
  assert.equal(feed.complete, true);
});

test("an end before the snapshot asks again when the snapshot is too old", () => {
  const feed = new Feed("me");
  assert.deepEqual(feed.take({ type: "ended", seq: 2 }), {});
  assert.equal(feed.take({ type: "snapshot", client: "me", seq: 1 }, bytes("a")).missed, true);
  assert.equal(feed.take({ type: "snapshot", client: "me", seq: 2 }, bytes("ab")).missed, undefined);
  assert.equal(feed.complete, true);
});

test("what was skipped is counted and kept at its place", () => {
  const feed = live();
  feed.take({ type: "output", seq: 1, skipped: 10 }, bytes("b"));
  feed.take({ type: "output", seq: 2, skipped: 5 }, bytes("c"));
  assert.equal(feed.skipped, 15);
  assert.equal(text(feed.tail.pieces()), "head [10]b[5]c");
});

test("the tail keeps its last part and counts the rest", () => {
  const tail = new Tail(1 << 17);
  const block = new Uint8Array(100_000);
  for (let index = 0; index < 10; index += 1) tail.append(block.fill(index));
  const pieces = tail.pieces();
  const kept = pieces.reduce((sum, { data }) => sum + data.length, 0);
  assert.ok(kept >= 1 << 16 && kept <= (1 << 17) + (1 << 16));
  assert.equal(pieces[0].skipped + kept, 1_000_000);
  assert.equal(pieces.at(-1).data.at(-1), 9);
});

test("a million tiny skips stay in bounds", () => {
  const tail = new Tail(1 << 16);
  for (let index = 0; index < 100_000; index += 1) tail.append(bytes("x"), 1);
  assert.ok(tail.held <= (1 << 16) + (1 << 12));
  const all = tail.pieces().reduce((sum, { skipped, data }) => sum + skipped + data.length, 0);
  assert.equal(all, 200_000);
});
