// The record's other ways into the notebook.  JupyterLab and Notebook drop what a kernel sends to
// a cell that was started before the page was loaded, and a kernel that is gone sends nothing: there
// the page puts the record in the widget's place, through the notebook's model.

import { DRAFT_OUTPUT, WIDGET_VIEW } from "./contract.js";
import { leftOut } from "./words.js";

/** How much of the output is kept where no kernel can: its end. */
const MOST_CHARACTERS = 1 << 15;

/**
 * Does nothing where the record is already there, or the front end has no such model.
 *
 * @param {any} model anywidget's model of the action.
 * @param {object} what
 * @param {string} what.widget The model's id.
 * @param {object} what.record The record, by MIME type.
 * @param {object} what.metadata The record's.
 * @param {string} [what.before] What stands above the widget, as text.
 * @param {object} [what.head] What is to stand there, by MIME type.
 */
export function keepRecord(model, { widget, record, metadata, before, head }) {
  for (const { outputs, sharedModel } of model.widget_manager?.context?.model?.cells ?? []) {
    if (!outputs) continue;
    const shown = Array.from({ length: outputs.length }, (_, index) => outputs.get(index).data);
    if (!inOrder(shown, sharedModel?.getOutputs?.())) continue;
    const mine = shown.map((data) => data[WIDGET_VIEW]?.model_id === widget);
    const put = (index, data, facts = {}) =>
      outputs.set(index, { output_type: "display_data", data, metadata: facts });
    shown.forEach((data, index) => {
      if (mine[index]) put(index, record, metadata);
      // Right above it: another run of the same cell may have the same words.
      else if (head && mine[index + 1] && data["text/plain"] === before) put(index, head);
    });
  }
}

/**
 * With real-time collaboration the page of another than who ran the cell may have its outputs in
 * another order than the notebook: what is put there by its place would replace another one.  The
 * page that ran the cell has the record from the kernel.
 */
function inOrder(shown, shared) {
  const kind = (data) =>
    JSON.stringify([[data?.["text/plain"] ?? ""].flat().join(""), data?.[WIDGET_VIEW]?.model_id]);
  return !shared || shown.every((data, index) => kind(data) === kind(shared[index]?.data));
}

/**
 * Put what is known in the place of a widget whose kernel is gone: it is nothing without it, and
 * the page that is loaded next would show an error there.
 *
 * @param {any} model anywidget's model of the action.
 * @param {object} draft What `keepRecord` wants to know, but for the output.
 * @param {string} output What the terminal shows.
 */
export function keepDraft(model, { widget, record, metadata }, output) {
  const whole = output.trimEnd() || "[no output so far]";
  const cut = Math.max(0, whole.length - MOST_CHARACTERS);
  const text = cut ? `${leftOut(cut)}\n${whole.slice(cut)}` : whole;
  const html = text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
  const filled = Object.entries(record ?? {}).map(([kind, data]) => {
    return [kind, data.split(DRAFT_OUTPUT).join(kind === "text/html" ? html : text)];
  });
  if (widget) keepRecord(model, { widget, record: Object.fromEntries(filled), metadata });
}
