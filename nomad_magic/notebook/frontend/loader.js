// What each action's widget carries: it fetches the view's code from the one model that holds
// it for the whole kernel, imports it once per page, and hands everything over to it.

import { KERNEL, PAGE } from "./src/contract.js";

/** After how long without an answer a reader is told, in ms; the answer may come all the same. */
const SILENT_MS = 5000;

const SILENT =
  "The kernel has not answered yet. The action may be running: press ■ (interrupt) to stop it.";
const ALL_THE_SAME =
  "The action runs all the same: press ■ (interrupt) to stop it; its record appears here when it ends.";
const REFUSED = `This page does not let the view of the action load. ${ALL_THE_SAME}`;

/** The modules of this page, by version: a page may hold notebooks of several kernels. */
const modules = (globalThis.__nomadMagicViews ??= new Map());

/** Each step of a view's beginning has a turn of its own: all at once they hold up the page. */
const turn = () => new Promise((done) => setTimeout(done));

/** @param {string} code */
async function evaluate(code) {
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  try {
    return await import(/* webpackIgnore: true */ /* @vite-ignore */ url);
  } catch {
    // A content security policy may allow one kind of address and not the other.
    const data = "data:text/javascript;charset=utf-8," + encodeURIComponent(code);
    return await import(/* webpackIgnore: true */ /* @vite-ignore */ data);
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** The code from the one model that holds it. */
async function fromAssets(model) {
  const id = model.get("assets").replace("IPY_MODEL_", "");
  const assets = await model.widget_manager.get_model(id);
  return { code: assets.get("code"), version: assets.get("version") };
}

/** The code by the action's own messages: a front end may have lost that model, and not this one. */
function fromKernel(model) {
  return new Promise((resolve) => {
    const heard = (message) => {
      if (message.type !== KERNEL.CODE) return;
      model.off("msg:custom", heard);
      resolve(message);
    };
    model.on("msg:custom", heard);
    model.send({ type: PAGE.CODE });
  });
}

async function load(model) {
  let { code, version } = await fromAssets(model).catch(() => ({}));
  if (!code) ({ code, version } = await fromKernel(model));
  if (!modules.has(version)) modules.set(version, evaluate(code));
  try {
    return await modules.get(version);
  } catch (error) {
    modules.delete(version);
    console.error(error);
    throw new Error(REFUSED);
  }
}

function show(opened, el) {
  try {
    return opened.render(el);
  } catch (error) {
    console.error(error);
    throw new Error(`This page cannot show the action (${error.message}). ${ALL_THE_SAME}`);
  }
}

// A function, so that each model has its own `page`: anywidget calls it once for each.
export default () => {
  let page;
  return {
    // anywidget gives up on a model that takes longer than 2 s here, so nothing is awaited.
    initialize({ model }) {
      let closed = false;
      page = load(model).then(async (view) => {
        await turn();
        const opened = view.open(model);
        if (closed) opened.close();
        return opened;
      });
      page.catch(() => {});
      return () => {
        closed = true;
        page.then((opened) => opened.close(), () => {});
      };
    },
    async render({ el }) {
      const note = document.createElement("div");
      note.style.color = "var(--jp-ui-font-color1, var(--vscode-foreground, inherit))";
      el.append(note);
      const silent = setTimeout(() => (note.textContent = SILENT), SILENT_MS);
      try {
        const opened = await page;
        const close = show(opened, el);
        note.remove();
        return close;
      } catch (error) {
        el.replaceChildren(note);
        note.textContent = error.message;
      } finally {
        clearTimeout(silent);
      }
    },
  };
};
