// Forms: what is typed, its hint, and what is wrong with it, beside it.

import { ApiError } from "../common/api.js";
import { fill } from "../common/dom.js";
import { register, t } from "../common/words.js";
import { el } from "./live.js";
import { formWords } from "./form_words.js";

register(formWords);

let made = 0;

/** What was typed will not do: the words (a key and values), and the field, "" for the form. */
export class Mistake extends Error {
  /**
   * @param {string} field
   * @param {string} key
   * @param {Record<string, any>} [values]
   */
  constructor(field, key, values = {}) {
    super(key);
    this.field = field;
    this.key = key;
    this.values = values;
  }
}

/**
 * @typedef {{name: string, element: HTMLElement, input: any, value: () => string,
 *   wrong: (mistake: Mistake|null) => void}} Field
 */

/**
 * Make a field: label, input, hint, and a place for what is wrong. `label` and `hint` are keys of
 * words; all other options are attributes of the input. `input` replaces the usual one.
 * @param {{name: string, label: string, hint?: string, input?: any, [attribute: string]: any}} of
 * @returns {Field}
 */
export function field({ name, label, hint, input, around, ...attributes }) {
  const id = `f${(made += 1)}-${name}`;
  const box = input ?? el("input", { type: "text", ...attributes });
  box.id = id;
  box.name = name;
  const wrong = el("p", { class: "wrong", id: `${id}-wrong`, hidden: true });
  const told = hint ? el("p", { class: "hint", id: `${id}-hint` }, () => t(hint)) : null;
  box.setAttribute("aria-describedby", `${id}-wrong${told ? ` ${id}-hint` : ""}`);
  const element = el(
    "div",
    { class: "field" },
    el("label", { htmlFor: id }, () => t(label)),
    around ? around(box) : box,
    wrong,
    told,
  );
  return {
    name,
    element,
    input: box,
    value: () => box.value,
    wrong(mistake) {
      wrong.hidden = mistake === null;
      if (mistake === null) box.removeAttribute("aria-invalid");
      else {
        box.setAttribute("aria-invalid", "true");
        fill(wrong, el("span", {}, () => t(mistake.key, mistake.values)));
      }
    },
  };
}

/**
 * Make a field for a password, with a button that shows what was typed.
 * @param {{name: string, label: string, autocomplete: string, hint?: string}} of
 * @returns {Field}
 */
export function secret(of) {
  const shows = el("button", {
    type: "button",
    class: "button quiet small reveal",
    "aria-pressed": "false",
    onclick: () => show(made.input.type === "password"),
  }, () => t("form.show"));
  const made = field({
    type: "password",
    autocapitalize: "none",
    spellcheck: "false",
    class: "input",
    ...of,
    around: (box) => el("div", { class: "with-button" }, box, shows),
  });
  shows.setAttribute("aria-controls", made.input.id);
  shows.setAttribute("aria-describedby", made.input.id);
  const show = (is) => {
    made.input.type = is ? "text" : "password";
    shows.setAttribute("aria-pressed", String(is));
  };
  return made;
}

/**
 * Make a form. `submit` gets the values by name, and may throw a Mistake; an ApiError that
 * `explain` does not turn into one is told in words of its own. While it runs the form is busy.
 * @param {{fields: Field[], button: string, submit: (values: Record<string, string>) => any,
 *   explain?: (error: ApiError) => Mistake|null, before?: any, last?: any, kind?: string,
 *   name?: string}} of
 * @returns {HTMLFormElement & {focusFirst: () => void, busy: boolean}}
 */
export function form({ fields, button, submit, explain, before, last, kind = "primary", name }) {
  const told = el("div", { role: "alert", class: "told" });
  const go = el("button", { class: `button ${kind}`, type: "submit" }, () => t(button));
  const tell = (mistake) => {
    fill(told);
    for (const one of fields) one.wrong(mistake?.field === one.name ? mistake : null);
    if (mistake === null) return;
    const at = fields.find((one) => one.name === mistake.field);
    if (at) at.input.focus();
    else fill(told, el("p", { class: "note bad" }, () => t(mistake.key, mistake.values)));
  };
  let isBusy = false;
  const run = async (event) => {
    event.preventDefault();
    if (isBusy) return;
    isBusy = true;
    go.setAttribute("aria-disabled", "true");
    element.setAttribute("aria-busy", "true");
    tell(null);
    try {
      await submit(Object.fromEntries(fields.map((one) => [one.name, one.value()])));
    } catch (error) {
      if (error instanceof Mistake) tell(error);
      else if (error instanceof ApiError) tell(explain?.(error) ?? usual(error));
      else {
        tell(new Mistake("", "form.failed"));
        throw error;
      }
    } finally {
      isBusy = false;
      go.removeAttribute("aria-disabled");
      element.removeAttribute("aria-busy");
    }
  };
  const element = el(
    "form",
    { novalidate: true, onsubmit: run, name },
    before,
    told,
    fields.map((one) => one.element),
    last,
    el("div", { class: "line-up" }, go),
  );
  element.focusFirst = () => fields[0]?.input.focus();
  element.tell = tell;
  return element;
}

const USUAL = {
  offline: "form.offline",
  busy: "form.busy",
  store: "form.store",
  no_server: "form.busy",
  csrf: "form.old_page",
  slow_down: "form.slow_down",
  signed_out: "form.signed_out",
};

/** Return an error that may happen anywhere as a Mistake of the whole form. */
export function usual(error) {
  const key = USUAL[error.code] ?? (error.status === 429 ? "form.slow_down" : null);
  if (key) return new Mistake("", key);
  return new Mistake("", "form.refused", { why: error.why || error.code });
}

/** Raise a Mistake if a new password was not typed, or not twice the same. */
export function checkTwice(password, again) {
  if (!password) throw new Mistake("password", "form.password_empty");
  if (password !== again) throw new Mistake("again", "form.password_differs");
}

/** Return a number as somebody typed it, without blanks; raise a Mistake if it is none. */
export function readNumber(text, name = "uin") {
  const digits = text.replace(/\s/g, "");
  if (!digits) throw new Mistake(name, "form.number_empty");
  if (!/^\d{5,10}$/.test(digits)) throw new Mistake(name, "form.number_bad");
  return Number(digits);
}
