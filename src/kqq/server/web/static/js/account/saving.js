// Forms that change what is there: only what differs is sent, and what is not saved yet is shown.

import { ApiError } from "../common/api.js";
import { append, fill } from "../common/dom.js";
import { t } from "../common/words.js";
import { Mistake, usual } from "./form.js";
import { button, el } from "./live.js";
import { toast } from "./parts.js";

/**
 * Have `fields` show what `read` gives, and `save` get what was changed. `onlook` is called when
 * something may be another.
 * @param {{fields: import("./form.js").Field[], read: (name: string) => string,
 *   save: (values: Record<string, string>) => Promise<any>, onlook?: () => void}} of
 */
export function saving({ fields, read, save, onlook = () => {} }) {
  const told = el("div", { role: "alert", class: "told" });
  const count = el("span", { class: "spread", role: "status" });
  const go = el("button", { type: "submit", class: "button primary" }, () => t("saving.save"));
  const undo = button("saving.undo", reset, "quiet");
  const bar = el("div", { class: "saving", hidden: true }, count, undo, go);
  const hold = (event) => bar.isConnected && event.preventDefault(); // the browser asks
  let isBusy = false;

  // As the fields show it: a browser may not show all that a phone has written.
  const before = new Map();
  const changed = () => fields.filter((one) => one.value() !== before.get(one.name));

  function look() {
    const many = changed().length;
    bar.hidden = many === 0;
    const key = many === 1 ? "saving.one" : "saving.many";
    fill(count, many > 0 && el("span", {}, () => t(key, { many })));
    if (many > 0) addEventListener("beforeunload", hold);
    else removeEventListener("beforeunload", hold);
    onlook();
  }

  function reset() {
    for (const one of fields) {
      if (one.set) one.set(read(one.name));
      else one.input.value = read(one.name);
      before.set(one.name, one.value());
    }
    tell(null);
    look();
  }

  function tell(mistake) {
    fill(told);
    for (const one of fields) one.wrong(mistake?.field === one.name ? mistake : null);
    if (mistake === null) return;
    const at = fields.find((one) => one.name === mistake.field);
    if (at) {
      at.input.closest("details")?.setAttribute("open", "");
      at.input.focus();
    } else fill(told, el("p", { class: "note bad" }, () => t(mistake.key, mistake.values)));
  }

  async function run(event) {
    event.preventDefault();
    const values = Object.fromEntries(changed().map((one) => [one.name, one.value()]));
    if (isBusy || Object.keys(values).length === 0) return;
    isBusy = true;
    tell(null);
    try {
      await save(values);
      reset();
      toast("saving.done");
    } catch (error) {
      if (error instanceof Mistake) tell(error);
      else if (error instanceof ApiError) tell(refused(error, values));
      else throw error;
    } finally {
      isBusy = false;
    }
  }

  return {
    look,
    reset,
    /** Make the form around these. */
    form(...children) {
      const listeners = { onsubmit: run, oninput: look, onchange: look };
      const element = el("form", { novalidate: true, class: "stack", ...listeners });
      return append(element, children, told, bar);
    },
  };
}

/** Return where the server says that a value will not do. */
function refused(error, values) {
  const named = error.body?.field;
  if (named === "nick") return new Mistake("nick", "sign_up.nick_bad");
  return named in values ? new Mistake(named, "form.refused", { why: error.why }) : usual(error);
}
