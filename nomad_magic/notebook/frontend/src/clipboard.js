// Copying, only ever because the reader pressed something.

/**
 * @param {string} text
 * @param {HTMLElement} near Where a helper may stand for a moment.
 * @returns {Promise<boolean>} It is on the clipboard.
 */
export async function copy(text, near) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // No secure context, or not allowed: the old way needs neither.
    return copyBySelection(text, near);
  }
}

function copyBySelection(text, near) {
  const focused = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  area.setAttribute("aria-hidden", "true");
  area.style.cssText = "position:fixed;inset:0 auto auto 0;width:1px;height:1px;opacity:0";
  near.append(area);
  area.select();
  let copied = false;
  try {
    copied = document.execCommand("copy");
  } catch {
    copied = false;
  }
  area.remove();
  focused?.focus?.({ preventScroll: true });
  return copied;
}
