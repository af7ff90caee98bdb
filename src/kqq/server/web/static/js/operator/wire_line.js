// One line, explained field by field.

import { api } from "../common/api.js";
import { fill, h } from "../common/dom.js";
import { t } from "../common/words.js";
import { explain } from "../kqq/explain.js";
import { badge, button, copy, facts, number, stamp, trouble } from "./parts.js";

let catalogue = null; // asked for once, when the first line is chosen

/** Have an element explain a line that went by. */
export async function explanation(element, line) {
  element.dataset.line = line.line;
  let found;
  try {
    catalogue ??= await api.get("/static/catalogue.json");
    found = parts(line, explain(line.line, asClient(line.way), catalogue));
  } catch (error) {
    found = trouble(error);
  }
  if (element.dataset.line === line.line) fill(element, found);
}

/** The way as a client sees it, which is how lines are explained. */
const asClient = (way) => (way === "in" ? "out" : "in");

function parts(line, told) {
  return [
    h("h2", {}, told.command || t("op.unreadable")),
    told.words && h("p", {}, told.words),
    facts([
      [t("op.time"), stamp(line.at)],
      [t("op.way"), t(line.way === "in" ? "op.in" : "op.out")],
      [t("op.who"), line.uin === null ? t("op.no_number") : String(line.uin)],
      [t("op.from"), h("code", {}, line.peer)],
      [t("op.over"), line.over.toUpperCase()],
      line.junk ? [t("op.junk"), number(line.junk)] : null,
    ]),
    h("ul", { class: "fields" }, told.fields.map(one)),
    h("pre", { class: "raw", tabindex: "0" }, line.line),
    button(t("op.copy"), () => copy(line.line), "small"),
  ];
}

function one(field) {
  return h("li", {},
    h("code", { class: "key" }, field.key),
    h("div", {}, h("span", { class: "value", dir: "auto" }, field.shown ?? field.raw),
      h("p", { class: "muted small-text" }, field.meaning,
        field.sure && [" ", badge(t("op.sure", { sure: field.sure }))])));
}
