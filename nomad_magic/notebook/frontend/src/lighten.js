// What drawing a terminal costs the page, made less: xterm.js 6.0.0 lays the page out for each character
// that it has not seen, and a screen full of strange ones takes seconds.  Private parts of it: where
// they are not as expected they are left alone.

/** How much of the page's time goes into measuring characters, in ms, and in how many. */
const MEASURING_MS = 25;
const OF_MS = 50;

/** @param {import("@xterm/xterm").Terminal} terminal One that was opened. */
export function lighten(terminal) {
  const renderer = terminal._core?._renderService?._renderer?.value;
  if (!renderer) return;
  measureQuickly(terminal, renderer._widthCache, renderer._rowFactory);
}

/**
 * Measure a character that was not seen before without laying out the page for it.  A row with some
 * for which there is no time now is drawn soon: to lay it out would take as long, for the browser has
 * to find a font for each of them.
 */
function measureQuickly(terminal, cache, rows) {
  const context = terminal.element.ownerDocument.createElement("canvas").getContext("2d");
  if (typeof cache?._measure !== "function" || !cache._font || !context) return;
  if (typeof rows?.createRow !== "function") return;
  const create = rows.createRow.bind(rows);
  let missed = false;
  rows.createRow = (...given) => {
    missed = false;
    const row = create(...given);
    return missed ? [] : row;
  };
  let since = 0;
  let spent = 0;
  let again;
  const draw = () => {
    again = undefined;
    if (terminal.element.isConnected) terminal.refresh(0, terminal.rows - 1);
  };
  cache._measure = (text, variant) => {
    const start = performance.now();
    if (start - since > OF_MS) [since, spent] = [start, 0];
    if (spent > MEASURING_MS) {
      again ??= setTimeout(draw, OF_MS);
      missed = true;
      // What is no number is not kept.
      return NaN;
    }
    const weight = variant & 1 ? cache._weightBold : cache._weight;
    const style = variant & 2 ? "italic " : "";
    context.font = `${style}${weight} ${cache._fontSize}px ${cache._font}`;
    context.fontKerning = "none";
    const { width } = context.measureText(text);
    spent += performance.now() - start;
    return width;
  };
  cache.clear();
}
