// Links that an action prints (OSC 8): the reader sees where one goes, and opens it on purpose.

const ALLOWED = new Set(["http:", "https:", "mailto:"]);

/** @param {string} text @returns {string | null} The address, if it is one that may be opened. */
export function address(text) {
  try {
    const url = new URL(text);
    return ALLOWED.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/**
 * @param {HTMLElement} host Shows the address while the pointer is on the link.
 * @returns {import("@xterm/xterm").ILinkHandler}
 */
export function linkHandler(host) {
  const key = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘" : "Ctrl";
  return {
    // xterm.js would keep mailto out; `address` decides instead.
    allowNonHttpProtocols: true,
    activate(event, text) {
      const href = address(text);
      if (href && (event.ctrlKey || event.metaKey)) window.open(href, "_blank", "noopener,noreferrer");
    },
    hover(_event, text) {
      const href = address(text);
      host.title = href ? `${href}\n${key}+click opens it` : "This kind of link is not opened";
    },
    leave() {
      host.title = "";
    },
  };
}
