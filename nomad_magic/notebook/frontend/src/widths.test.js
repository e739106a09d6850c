import assert from "node:assert/strict";
import { test } from "node:test";

import { CELLS } from "./contract.js";
import { joined, provider, useWidths } from "./widths.js";

useWidths({ unicode: { register: () => {} } });

/** The cells of each cluster, as xterm.js adds them up. */
function cells(text) {
  const found = [];
  let properties = 0;
  for (const character of text) {
    properties = provider.charProperties(character.codePointAt(0), properties);
    if (properties & 1) found.pop();
    found.push((properties >> 1) & 3);
  }
  return found;
}

test("clusters are as wide as in the record", () => {
  assert.deepEqual(cells("a✅⚠⚠\ufe0f"), [1, 2, 1, 2]);
  assert.deepEqual(cells("🇨🇭🇫🇷1\ufe0f\u20e3👩🏽\u200d💻"), [2, 2, 2, 2]);
  assert.deepEqual(cells("क्षका日e\u0301"), [2, 2, 2, 1]);
});

test("what joins nothing and has no width is nothing to join", () => {
  assert.equal(provider.charProperties(0x301, 0), 0);
});

test("who counts what joins can stop at the most", () => {
  let properties = provider.charProperties(0x65, 0);
  for (let count = 1; count <= CELLS.mostJoined; count += 1) {
    properties = provider.charProperties(0x301, properties);
    assert.equal(joined(properties), count);
  }
  assert.equal(joined(provider.charProperties(0x301, properties)), CELLS.mostJoined + 1);
});
