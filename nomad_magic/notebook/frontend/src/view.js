// The view's way in, called by the loader.

import { FleetPage } from "./fleet.js";
import { FleetPanel } from "./fleet_panel.js";
import { Page } from "./page.js";
import { Panel } from "./panel.js";

/**
 * @param {any} model anywidget's model of one action, or of a fleet.
 * @returns {{render: (el: HTMLElement) => () => void, close: () => void}}
 */
export function open(model) {
  const fleet = model.get("fleet");
  const page = fleet ? new FleetPage(model) : new Page(model);
  return {
    render(el) {
      const panel = fleet ? new FleetPanel(page, el) : new Panel(page, el);
      return () => panel.close();
    },
    close: () => page.close(),
  };
}

// The tests hold the record against this very xterm.js.
export { guard } from "./guard.js";
export { lighten } from "./lighten.js";
export { useWidths } from "./widths.js";
export { Writer } from "./writer.js";
export { Terminal } from "@xterm/xterm";
