// What xterm.js shows: every row of a terminal, above the screen and on it.

const COLOURS = { Fg: ["isFgDefault", "isFgRGB", "getFgColor"], Bg: ["isBgDefault", "isBgRGB", "getBgColor"] };
const FLAGS = {
  b: "isBold",
  d: "isDim",
  i: "isItalic",
  u: "isUnderline",
  k: "isBlink",
  v: "isInverse",
  n: "isInvisible",
  s: "isStrikethrough",
  o: "isOverline",
};
const LINK = /^(?:https?|mailto):[^\s\x7f]+$/i;
const BLANK = "||";

function colour(cell, [isDefault, isRGB, get]) {
  if (cell[isDefault]()) return "";
  const value = cell[get]();
  return cell[isRGB]() ? `#${value >> 16}.${(value >> 8) & 255}.${value & 255}` : `${value}`;
}

/** A row's pieces, `[text, style]`; the style is written foreground|background|flags. */
function pieces(line, width, cell) {
  const found = [];
  // As xterm.js reads a row itself: what stands behind a wide character is not seen.
  for (let x = 0; x < width; x += cell.getWidth() || 1) {
    line.getCell(x, cell);
    const flags = Object.keys(FLAGS).filter((flag) => cell[FLAGS[flag]]()).join("");
    const style = `${colour(cell, COLOURS.Fg)}|${colour(cell, COLOURS.Bg)}|${flags}`;
    const text = cell.getChars() || " ";
    if (found.at(-1)?.[1] === style) found.at(-1)[0] += text;
    else found.push([text, style]);
  }
  while (found.at(-1)?.[1] === BLANK) {
    found.at(-1)[0] = found.at(-1)[0].replace(/ +$/, "");
    if (found.at(-1)[0]) break;
    found.pop();
  }
  return found;
}

/** All rows of a buffer but the empty ones at its end. */
function shown(buffer, width) {
  const cell = buffer.getNullCell();
  const all = [];
  for (let y = 0; y < buffer.length; y += 1) all.push(pieces(buffer.getLine(y), width, cell));
  while (all.length && !all.at(-1).length) all.pop();
  return all;
}

function show({ Terminal, guard, useWidths }, { width, height, newline, input, bytes }) {
  const terminal = new Terminal({
    allowProposedApi: true,
    cols: width,
    convertEol: newline,
    logLevel: "off",
    rows: height,
    scrollback: 100000,
  });
  useWidths(terminal);
  guard(terminal);
  // A link to anywhere else than the web or a mailbox is none in a record.
  terminal.parser.registerOscHandler(8, (data) => {
    const target = data.slice(data.indexOf(";") + 1);
    return target && !LINK.test(target) ? terminal._core._inputHandler.setHyperlink(";") : false;
  });
  // The public `write` waits for a timer, and what is thrown there no one can catch.
  terminal._core.writeSync(bytes ? Uint8Array.from(bytes) : input);
  const { active, normal } = terminal.buffer;
  const rows = shown(normal, width);
  if (active.type === "alternate") rows.push(...shown(active, width));
  terminal.dispose();
  return rows;
}

/** @returns {[string, string][][][]} For each case its rows. */
export function rows(view, cases) {
  return cases.map((one) => show(view, one));
}
