// The record's other way into the notebook.  JupyterLab and Notebook drop what a kernel sends to
// a cell that was started before the page was loaded; there the widget puts the record in its own
// place, through the notebook's model.

import { WIDGET_VIEW } from "./contract.js";

/**
 * Does nothing where the record is already there, or the front end has no such model.
 *
 * @param {any} model anywidget's model of the action.
 * @param {object} what
 * @param {string} what.widget The model's id.
 * @param {string} what.before What stands above the widget, as text.
 * @param {object} what.head What is to stand there, by MIME type.
 * @param {object} what.record The record, by MIME type.
 */
export function keepRecord(model, { widget, before, head, record }) {
  for (const { outputs } of model.widget_manager?.context?.model?.cells ?? []) {
    if (!outputs) continue;
    const shown = Array.from({ length: outputs.length }, (_, index) => outputs.get(index).data);
    const mine = shown.map((data) => data[WIDGET_VIEW]?.model_id === widget);
    if (!mine.includes(true)) continue;
    const put = (index, data) =>
      outputs.set(index, { output_type: "display_data", data, metadata: {} });
    shown.forEach((data, index) => {
      if (mine[index]) put(index, record);
      else if (data["text/plain"] === before) put(index, head);
    });
  }
}
