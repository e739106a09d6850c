// The terminal's colours, read off the element it stands in, so that they are the front end's.

// Each is at least 4.5:1 against the usual background of its kind, but for the two that are
// there to be a background; xterm.js raises what is not, whatever the theme.
const LIGHT = {
  black: "#24292f",
  red: "#b3261e",
  green: "#116329",
  yellow: "#7d4e00",
  blue: "#0550ae",
  magenta: "#8250df",
  cyan: "#0b6b75",
  white: "#57606a",
  brightBlack: "#57606a",
  brightRed: "#c9252d",
  brightGreen: "#177534",
  brightYellow: "#8a5a00",
  brightBlue: "#0969da",
  brightMagenta: "#9a3fd5",
  brightCyan: "#11757f",
  brightWhite: "#6a737d",
};
const DARK = {
  black: "#3b4048",
  red: "#ff7b72",
  green: "#56d364",
  yellow: "#e3b341",
  blue: "#79c0ff",
  magenta: "#d2a8ff",
  cyan: "#56d4dd",
  white: "#c9d1d9",
  brightBlack: "#8b949e",
  brightRed: "#ffa198",
  brightGreen: "#7ee787",
  brightYellow: "#f2cc60",
  brightBlue: "#a5d6ff",
  brightMagenta: "#e2c5ff",
  brightCyan: "#8ae7ee",
  brightWhite: "#ffffff",
};

/** Themes load their style sheets a moment after they say that they changed, in ms. */
const SETTLE_MS = 300;

/**
 * @param {HTMLElement} element Has the background and the text colour that are wanted.
 * @param {boolean} cursor The cursor is to be seen.
 * @returns {import("@xterm/xterm").ITheme}
 */
export function theme(element, cursor) {
  const style = getComputedStyle(element);
  const paint = painter();
  const background = paint("#ffffff", style.backgroundColor);
  const foreground = paint(style.backgroundColor, style.color);
  const dark = luminance(background) < luminance(foreground);
  const bar = dark ? "#ffffff" : "#000000";
  return {
    ...(dark ? DARK : LIGHT),
    background: hex(background),
    foreground: hex(foreground),
    cursor: cursor ? hex(foreground) : hex(background),
    cursorAccent: hex(background),
    selectionBackground: dark ? "#3a5f95" : "#b4d5fe",
    selectionInactiveBackground: dark ? "#3d4450" : "#d5dae1",
    scrollbarSliderBackground: `${bar}40`,
    scrollbarSliderHoverBackground: `${bar}66`,
    scrollbarSliderActiveBackground: `${bar}80`,
  };
}

/**
 * @param {HTMLElement} element
 * @param {() => void} changed
 * @returns {() => void} Stops watching.
 */
export function watchTheme(element, changed) {
  const { body, documentElement } = element.ownerDocument;
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  let timer = 0;
  const news = () => {
    changed();
    clearTimeout(timer);
    timer = setTimeout(changed, SETTLE_MS);
  };
  const observer = new MutationObserver(news);
  const attributeFilter = ["data-jp-theme-light", "data-jp-theme-name", "class", "data-theme"];
  // VS Code sets its colours on the document, one by one.
  attributeFilter.push("data-vscode-theme-id", "style");
  observer.observe(body, { attributes: true, attributeFilter });
  observer.observe(documentElement, { attributes: true, attributeFilter });
  scheme.addEventListener("change", news);
  return () => {
    clearTimeout(timer);
    observer.disconnect();
    scheme.removeEventListener("change", news);
  };
}

/** A canvas reads every notation of colour, and lays a transparent one over what is under it. */
function painter() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  return (...layers) => {
    for (const layer of layers) {
      context.fillStyle = layer;
      context.fillRect(0, 0, 1, 1);
    }
    return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  };
}

function hex(rgb) {
  return `#${rgb.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

function luminance([red, green, blue]) {
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
