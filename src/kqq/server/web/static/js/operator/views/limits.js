// Settings that may be changed while the server runs, such as limits against floods.

import { h } from "../../common/dom.js";
import { language, t } from "../../common/words.js";
import { may } from "../access.js";
import { ask, tell } from "../dialogs.js";
import {
  badge, button, card, choice, copy, field, fillWith, heading, nothing, number,
} from "../parts.js";
import { act, read } from "../server.js";

/** Make the view. */
export function limitsView({ me, signal }) {
  const found = h("div", { class: "stack" });
  const search = h("input", { type: "search", autocomplete: "off", spellcheck: "false" });
  const look = () => fillWith(found, async () => {
    const all = await read("limits.show");
    return groups(all, may(me.role, "limits.set"), changed);
  }, signal);
  const changed = async (answer) => {
    await Promise.all([toWriteDown(answer), look()]);
    sift();
  };
  const sift = () => {
    const wanted = search.value.trim().toLowerCase();
    for (const group of found.querySelectorAll(".group")) {
      const rows = [...group.querySelectorAll(".setting")];
      for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
      group.hidden = rows.every((row) => row.hidden);
    }
  };
  search.addEventListener("input", sift);
  look();
  return h("div", { class: "stack" }, heading(t("op.nav.limits")),
    h("p", { class: "muted" }, t("op.limits_hint")), field(t("op.find_setting"), search),
    found);
}

function groups(all, mayChange, changed) {
  if (!all.length) return nothing(t("op.no_settings"));
  const names = [...new Set(all.map((one) => one.group ?? ""))];
  return names.map((name) => {
    const rows = all.filter((one) => (one.group ?? "") === name)
      .map((one) => setting(one, mayChange, changed));
    const group = card(groupWords(name), h("ul", { class: "list settings" }, rows));
    group.classList.add("group");
    return group;
  });
}

function groupWords(name) {
  const key = `op.group.${name}`;
  const words = t(key);
  if (words !== key) return words;
  return name ? name[0].toUpperCase() + name.slice(1) : t("op.nav.limits");
}

/** What a setting is for: the server says it in English, the page knows it in Chinese. */
function help(one) {
  if (language() === "en") return one.help;
  const key = `op.help.${one.name}`;
  const words = t(key);
  return words === key ? one.help : words;
}

function setting(one, mayChange, changed) {
  const isUsual = JSON.stringify(one.value) === JSON.stringify(one.default);
  return h("li", { class: "setting" },
    h("div", { class: "spread" }, h("code", {}, one.name), " ",
      isUsual ? null : badge(t("op.not_usual"), "warn"),
      h("p", { class: "muted small-text" }, help(one))),
    h("div", { class: "value" }, h("b", {}, shown(one.value)),
      isUsual ? null : h("span", { class: "muted small-text" },
        t("op.usual", { value: shown(one.default) }))),
    mayChange && button(t("op.change"), async () => {
      const answer = await change(one);
      if (answer) await changed(answer);
    }, "small", { "aria-label": `${t("op.change")}: ${one.name}`, "data-key": one.name }));
}

function shown(value) {
  if (value === true || value === false) return t(value ? "op.yes" : "op.no");
  if (typeof value === "number") return number(value);
  return value === "" || value === null ? "–" : String(value);
}

const isNumber = (one) => one.kind === "number" || one.kind === "whole";

function bounds(one) {
  if (!isNumber(one)) return null;
  const [low, high] = [one.low ?? null, one.high ?? null];
  if (low === null && high === null) return null;
  if (high === null) return t("op.from_on", { low });
  return t("op.from_to", { low, high });
}

function inputFor(one) {
  if (one.kind === "choice") return choice(one.choices.map((word) => [word, word]), one.value);
  if (one.kind === "truth") {
    return choice([["true", t("op.yes")], ["false", t("op.no")]], String(one.value));
  }
  if (!isNumber(one)) return h("input", { value: one.value ?? "", autocomplete: "off" });
  return h("input", {
    type: "number", value: one.value, min: one.low, max: one.high,
    step: one.kind === "whole" ? 1 : "any",
  });
}

function change(one) {
  return ask({
    title: one.name,
    words: help(one),
    fields: [{
      name: "value", label: t("op.new_value"), hint: bounds(one), input: inputFor(one),
    }],
    yes: t("op.change"),
    work: ({ value }) => act("limits.set", { values: { [one.name]: typed(one, value) } }),
  });
}

function typed(one, text) {
  if (isNumber(one)) return Number(text);
  return one.kind === "truth" ? text === "true" : text;
}

function toWriteDown(answer) {
  return tell(t("op.changed"), h("p", {}, t("op.write_down")),
    h("pre", { class: "raw", tabindex: "0" }, answer.toml),
    button(t("op.copy"), () => copy(answer.toml), "small"));
}
