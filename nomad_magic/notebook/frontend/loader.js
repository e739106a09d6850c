// What each action's widget carries: it fetches the view's code from the one model that holds
// it for the whole kernel, imports it once per page, and hands everything over to it.

const GONE =
  "The kernel that ran this action is gone. How the action ended is not known: it may still run.";
const REFUSED =
  "This page does not let the view of the action load. The action runs all the same: " +
  "press ■ (interrupt) to stop it; its record appears here when it ends.";

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

async function load(model) {
  let code, version;
  try {
    const id = model.get("assets").replace("IPY_MODEL_", "");
    const assets = await model.widget_manager.get_model(id);
    code = assets.get("code");
    version = assets.get("version");
  } catch {
    code = "";
  }
  if (!code) throw new Error(GONE);
  if (!modules.has(version)) modules.set(version, evaluate(code));
  try {
    return await modules.get(version);
  } catch (error) {
    modules.delete(version);
    console.error(error);
    throw new Error(REFUSED);
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
      try {
        return (await page).render(el);
      } catch (error) {
        el.style.color = "var(--jp-ui-font-color1, inherit)";
        el.textContent = error.message;
      }
    },
  };
};
