import assert from "node:assert/strict";
import { test } from "node:test";

import { DRAFT_OUTPUT, WIDGET_VIEW } from "./contract.js";
import { keepDraft, keepRecord } from "./record.js";

/** A notebook of one cell, whose outputs have these data. */
function notebook(...datas) {
  const outputs = datas.map((data) => ({ data }));
  outputs.get = (index) => outputs[index];
  outputs.set = (index, output) => (outputs[index] = output);
  return { outputs, model: { widget_manager: { context: { model: { cells: [{ outputs }] } } } } };
}

const view = (id) => ({ [WIDGET_VIEW]: { model_id: id }, "text/plain": "" });
const text = (said) => ({ "text/plain": said });
const shown = (outputs) => outputs.map(({ data }) => data["text/plain"]);

const draft = {
  widget: "b",
  record: { "text/plain": `<${DRAFT_OUTPUT}>`, "text/html": `<pre>${DRAFT_OUTPUT}</pre>` },
  metadata: { nomad_magic: { version: 1 } },
};

test("a record replaces its widget and the line right above it, and no other's", () => {
  const { outputs, model } = notebook(text("x → "), view("a"), text("x → "), view("b"), text("x → "));
  keepRecord(model, { widget: "b", record: text("record"), metadata: { m: 1 }, before: "x → ", head: text("end") });
  assert.deepEqual(shown(outputs), ["x → ", "", "end", "record", "x → "]);
  assert.deepEqual(outputs[3].metadata, { m: 1 });
});

test("nothing is put where another has it in another order", () => {
  const put = (...shared) => {
    const { outputs, model } = notebook(view("b"), text("x → "));
    const [cell] = model.widget_manager.context.model.cells;
    cell.sharedModel = { getOutputs: () => shared.map((data) => ({ data })) };
    keepRecord(model, { widget: "b", record: text("record"), metadata: {} });
    return shown(outputs);
  };
  assert.deepEqual(put(text("x → "), view("b")), ["", "x → "]);
  assert.deepEqual(put(view("b"), text("x → ")), ["record", "x → "]);
});

test("a draft has the output as it is in the text, and escaped in the HTML", () => {
  const { outputs, model } = notebook(text("above"), view("b"));
  keepDraft(model, draft, "$& <img src=x onerror=\"a('&amp;')\">\n\n");
  assert.equal(shown(outputs)[1], "<$& <img src=x onerror=\"a('&amp;')\">>");
  assert.equal(
    outputs[1].data["text/html"],
    "<pre>$&#38; &#60;img src=x onerror=&#34;a(&#39;&#38;amp;&#39;)&#34;&#62;</pre>",
  );
  assert.deepEqual(outputs[1].metadata, draft.metadata);
  assert.equal(shown(outputs)[0], "above");
});

test("of a long output a draft has the end, and says so; of none that too", () => {
  const long = notebook(view("b"));
  keepDraft(long.model, draft, `${"x".repeat(100_000)}last`);
  const [said] = shown(long.outputs);
  assert.ok(said.length < 33_000);
  assert.match(said, /^<\[… 67\.2 kB left out …\]\nx+last>$/);
  const none = notebook(view("b"));
  keepDraft(none.model, draft, "\n");
  assert.deepEqual(shown(none.outputs), ["<[no output so far]>"]);
});

test("nothing happens where there is no notebook, no draft or no such widget", () => {
  keepDraft({}, draft, "x");
  const { outputs, model } = notebook(view("a"));
  keepDraft(model, {}, "x");
  keepDraft(model, draft, "x");
  assert.deepEqual(shown(outputs), [""]);
});
