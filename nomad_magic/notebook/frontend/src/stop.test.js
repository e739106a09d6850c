import assert from "node:assert/strict";
import { test } from "node:test";

import { keyAction } from "./keys.js";
import { DEAF_MS, Presses, stopRoute } from "./stop.js";

const running = { phase: "running", label: "Stop", background: false, pumped: true, heard: true, waited: 0 };

test("a kernel that hears is told", () => {
  assert.equal(stopRoute(running), "send");
});

test("a kernel that does not hear is interrupted, a new one after a moment", () => {
  assert.equal(stopRoute({ ...running, pumped: false }), "interrupt");
  assert.equal(stopRoute({ ...running, heard: false }), "wait");
  assert.equal(stopRoute({ ...running, heard: false, waited: DEAF_MS }), "interrupt");
});

test("after the end, and for a background run, nothing is ever interrupted", () => {
  for (const pumped of [true, false]) {
    for (const heard of [true, false]) {
      const known = { ...running, pumped, heard, waited: 10 * DEAF_MS };
      assert.equal(stopRoute({ ...known, phase: "ended" }), "nothing");
      assert.equal(stopRoute({ ...known, label: "" }), "nothing");
      assert.equal(stopRoute({ ...known, background: true }), "send");
    }
  }
});

test("one press climbs one rung", () => {
  const presses = new Presses();
  assert.equal(presses.counts("Stop", 0), true);
  assert.equal(presses.counts("Stop", 100), false);
  assert.equal(presses.counts("Force stop", 100, true), false);
  assert.equal(presses.counts("Force stop", 100), true);
  assert.equal(presses.counts("Force stop", 600), true);
});

test("a press after something was typed is another press", () => {
  const presses = new Presses();
  assert.equal(presses.counts("Stop", 0), true);
  presses.forget();
  assert.equal(presses.counts("Stop", 100), true);
  assert.equal(presses.counts("Stop", 200), false);
});

test("Ctrl+C is typed or stops, once, or copies; Shift+Tab always leaves", () => {
  const press = (key, more = {}) => ({ type: "keydown", key, ...more });
  const ctrlC = { ctrlKey: true };
  for (const typing of [true, false]) {
    const state = { typing, selected: false, tabLeaves: false };
    assert.equal(keyAction(press("c", ctrlC), state), typing ? "terminal" : "stop");
    assert.equal(keyAction(press("c", { ...ctrlC, repeat: true }), state), "nothing");
    assert.equal(keyAction(press("c", ctrlC), { ...state, selected: true }), "copy");
    assert.equal(keyAction(press("Tab", { shiftKey: true }), state), "browser");
  }
  const typing = { typing: true, selected: false, tabLeaves: false };
  assert.equal(keyAction(press("Tab"), typing), "terminal");
  assert.equal(keyAction(press("Tab"), { ...typing, tabLeaves: true }), "browser");
});
