// Questions in a dialog: what is to be done, with its fields, and whether it shall be.

import { fill, h } from "../common/dom.js";
import { t } from "../common/words.js";
import { button, field, fresh, refusal, tellIfSignedOut } from "./parts.js";

/**
 * Ask, and do what was asked for; resolves to what `work` gave, or null if nothing was done. What
 * is refused is said in the dialog, which stays. `typed` must be typed before it can be done.
 * @param {object} question
 * @param {string} question.title
 * @param {any} [question.words]
 * @param {{name: string, label: string, input: any, hint?: string}[]} [question.fields]
 * @param {string} question.yes
 * @param {boolean} [question.danger]
 * @param {string} [question.typed]
 * @param {(values: Record<string, string>) => Promise<any>} question.work
 */
export function ask({ title, words, fields = [], yes, danger = false, typed, work }) {
  const id = fresh("dialog");
  const error = h("p", { class: "wrong", role: "alert" });
  const inputs = [...fields];
  if (typed) {
    const input = h("input", { autocomplete: "off", spellcheck: "false" });
    inputs.push({ name: "", label: t("op.type_to_confirm", { typed }), input });
  }
  const go = h("button", { class: `button ${danger ? "danger" : "primary"}` }, yes);
  const form = h("form", { novalidate: true }, h("header", {}, h("h2", { id }, title)),
    h("div", { class: "body" }, words && h("p", {}, words),
      inputs.map((one) => field(one.label, one.input, one.hint)), error),
    h("footer", {}, button(t("op.cancel"), () => dialog.close()), go));
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": id }, form);
  if (typed) {
    const last = inputs.at(-1).input;
    go.disabled = true;
    last.addEventListener("input", () => {
      go.disabled = last.value.trim() !== typed;
    });
  }
  return show(dialog, async (done) => {
    const values = Object.fromEntries(fields.map((one) => [one.name, valueOf(one.input)]));
    go.disabled = true;
    fill(error);
    try {
      done(await work(values));
    } catch (refused) {
      go.disabled = false;
      fill(error, refusal(refused));
      tellIfSignedOut(refused);
    }
  });
}

/** Show something that is shown once, until it is closed. */
export function tell(title, ...children) {
  const id = fresh("dialog");
  const form = h("form", {}, h("header", {}, h("h2", { id }, title)),
    h("div", { class: "body" }, children),
    h("footer", {}, h("button", { class: "button primary" }, t("op.close"))));
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": id }, form);
  return show(dialog, (done) => done(null));
}

function show(dialog, submitted) {
  return new Promise((resolve) => {
    let found = null;
    const done = (value) => {
      found = value;
      dialog.close();
    };
    dialog.addEventListener("submit", (event) => {
      event.preventDefault();
      submitted(done);
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(found);
    });
    document.body.append(dialog);
    dialog.showModal();
    const first = dialog.querySelector("input:not([readonly]), select, textarea");
    (first ?? dialog.querySelector("button")).focus();
  });
}

const valueOf = (input) => (input.type === "checkbox" ? input.checked : input.value);
