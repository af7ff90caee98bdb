// What the operator's views are made of: fields, lists, tables, and what is said when all is done.

import { ApiError } from "../common/api.js";
import { copyText } from "../common/copy.js";
import { append, fill, h } from "../common/dom.js";
import { language, t } from "../common/words.js";

let names = 0;

/** Return an id that nothing else on the page has. */
export function fresh(prefix) {
  names += 1;
  return `${prefix}-${names}`;
}

/** Milliseconds of a date of the server, which are seconds; null stays null. */
export const milliseconds = (seconds) => (seconds === null ? null : seconds * 1000);

const locale = () => (language() === "zh" ? "zh-CN" : "en-GB");

/** A number as people read it; what is small keeps three digits that count. */
export function number(value) {
  const digits = Math.abs(value) < 100
    ? { maximumSignificantDigits: 3 }
    : { maximumFractionDigits: 0 };
  return new Intl.NumberFormat(locale(), digits).format(value);
}

/** Date and time to the second, in the order that sorts. */
export function stamp(seconds) {
  const date = new Date(seconds * 1000);
  const two = (value) => String(value).padStart(2, "0");
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return `${day} ${time}`;
}

const SPANS = [["d", 86400], ["h", 3600], ["min", 60]];

/** A length of time in its largest unit: "5 min". */
export function span(seconds) {
  const [unit, size] = SPANS.find(([, length]) => seconds >= length) ?? ["s", 1];
  return t(`op.span.${unit}`, { count: Math.floor(seconds / size) });
}

/** A date in an element that says it to machines, too. */
export function time(seconds, shown = stamp(seconds)) {
  const date = new Date(seconds * 1000);
  return h("time", { datetime: date.toISOString(), title: stamp(seconds) }, shown);
}

/**
 * A field with its label, and below it a hint or a warning.
 * @param {string} label
 * @param {HTMLElement} input
 * @param {any} [hint]
 */
export function field(label, input, hint = null) {
  input.id ||= fresh("field");
  const note = hint === null ? null : h("p", { class: "hint", id: `${input.id}-hint` }, hint);
  if (note) input.setAttribute("aria-describedby", note.id);
  return h("div", { class: "field" }, h("label", { htmlFor: input.id }, label), input, note);
}

/** A choice out of `[value, words]` pairs. */
export function choice(pairs, chosen, attributes = {}) {
  const options = pairs.map(([value, words]) =>
    h("option", { value, selected: String(value) === String(chosen) }, words));
  return h("select", attributes, options);
}

/** A button; `kind` is a class such as "primary". */
export function button(words, onclick, kind = "", attributes = {}) {
  return h("button", { type: "button", class: `button ${kind}`.trim(), onclick, ...attributes },
    words);
}

/** A word in a frame; `kind` is "good", "warn", "bad" or "" for a quiet one. */
export function badge(words, kind = "") {
  return h("span", { class: `badge ${kind || "quiet"}` }, words);
}

/** A heading with what can be done beside it. */
export function heading(words, ...beside) {
  const title = h("h1", { tabindex: "-1" }, words);
  return h("div", { class: "heading" }, title, h("div", { class: "line-up" }, beside));
}

/** A part of a view with a heading. */
export function card(words, ...children) {
  const id = fresh("card");
  return h("section", { class: "card", "aria-labelledby": id }, h("h2", { id }, words), children);
}

/** Terms and what is said of them: pairs, null among them is left out. */
export function facts(pairs) {
  const rows = pairs.filter((pair) => pair !== null && pair[1] !== null && pair[1] !== "");
  return h("dl", { class: "facts" },
    rows.map(([term, said]) => h("div", {}, h("dt", {}, term), h("dd", {}, said))));
}

/**
 * A table. Where there is little room its rows are cards, unless it is `figures`: the first column
 * is the title then, and a column of kind "wide" has a line of its own.
 * @param {string} caption
 * @param {{label: string, cell: (row: any) => any, kind?: string}[]} columns
 * @param {any[]} rows
 * @param {string} [kind]
 */
export function table(caption, columns, rows, kind = "cards") {
  const head = columns.map((one) =>
    h("th", { role: "columnheader", scope: "col", class: one.kind }, one.label));
  const body = rows.map((row) => h("tr", { role: "row" }, columns.map((one) => h("td",
    { role: "cell", class: one.kind, "data-label": one.label }, one.cell(row)))));
  return h("div", { class: "tabled" }, h("table", { role: "table", class: `table ${kind}` },
    h("caption", { class: "visually-hidden" }, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)),
    h("tbody", { role: "rowgroup" }, body)));
}

/** What is said where there is nothing. */
export const nothing = (words) => h("p", { class: "muted empty" }, words);

/** Read a number as somebody typed it; an ApiError of our own if it is none. */
export function readUin(text) {
  const digits = text.replace(/\s/g, "");
  if (!/^\d{1,10}$/.test(digits)) throw new ApiError(0, "number", text);
  return Number(digits);
}

/** Read numbers that blanks or commas stand between; each once. */
export function readUins(text) {
  const words = text.split(/[\s,;，；、]+/).filter(Boolean);
  return [...new Set(words.map(readUin))];
}

/** Why something was refused, in the language of the page as far as we know. */
export function refusal(error) {
  if (!(error instanceof ApiError)) throw error;
  const key = `op.refused.${error.code}`;
  const known = t(key);
  if (known === key) return error.why || error.code;
  return known.replace("{why}", () => error.why || "…");
}

/** A box that says what went wrong, and can try again. */
export function trouble(error, again = null) {
  return h("div", { class: "note bad", role: "alert" }, h("p", {}, refusal(error)),
    again && button(t("op.again"), again, "small"));
}

/**
 * Fill an element with what `work` finds; until then it says so, and if it fails, why.
 * @param {HTMLElement} element
 * @param {() => Promise<any>} work
 * @param {AbortSignal} signal
 */
export async function fillWith(element, work, signal) {
  element.setAttribute("aria-busy", "true");
  if (!element.hasChildNodes()) fill(element, h("p", { class: "muted" }, t("op.loading")));
  let found;
  try {
    found = await work();
  } catch (error) {
    found = trouble(error, () => fillWith(element, work, signal));
    tellIfSignedOut(error);
  }
  if (signal.aborted) return;
  element.removeAttribute("aria-busy");
  keepFocus(element, () => fill(element, found));
}

/** Change what is within an element, and have the focus where it was: at the same `data-key`. */
export function keepFocus(element, change) {
  const active = document.activeElement;
  const key = active && element.contains(active) ? active.closest("[data-key]") : null;
  change();
  if (!key) return;
  const same = element.querySelector(`[data-key="${CSS.escape(key.dataset.key)}"]`);
  same?.focus({ preventScroll: true });
}

/** Do `work` now and every so many seconds while the page is looked at, until `signal`. */
export function everySeconds(seconds, work, signal) {
  let timer = 0;
  const go = async () => {
    clearTimeout(timer);
    if (!document.hidden) await work();
    if (!signal.aborted) timer = setTimeout(go, seconds * 1000);
  };
  const look = () => document.hidden || go();
  document.addEventListener("visibilitychange", look, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  return go();
}

/** Say for a moment what was done; screen readers say it, too. */
export function say(words, kind = "") {
  let region = document.querySelector(".toasts");
  if (!region) {
    region = h("div", { class: "toasts", role: "status", "aria-live": "polite" });
    document.body.append(region);
  }
  const toast = h("div", { class: `toast ${kind}`.trim() }, words);
  append(region, toast);
  setTimeout(() => toast.remove(), 6000);
}

/** Have the page look who is here if an error says that nobody is, or with another role. */
export function tellIfSignedOut(error) {
  if (error instanceof ApiError && (error.status === 401 || error.code === "role")) {
    document.dispatchEvent(new CustomEvent("signed-out"));
  }
}

/** Copy a text, and say whether that was possible. */
export async function copy(text) {
  if (await copyText(text)) say(t("op.copied"));
  else say(t("op.not_copied"), "bad");
}

/** A text to be copied: what is shown once. */
export function shownOnce(label, text, hint = null) {
  const input = h("input", { value: text, readonly: true, class: "mono", spellcheck: "false" });
  input.addEventListener("focus", () => input.select());
  return h("div", { class: "once" }, field(label, input, hint),
    button(t("op.copy"), () => copy(text), "", { "aria-label": `${t("op.copy")}: ${label}` }));
}
