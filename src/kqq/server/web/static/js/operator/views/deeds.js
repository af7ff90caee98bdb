// The log of what operators did.

import { h } from "../../common/dom.js";
import { t } from "../../common/words.js";
import { MOST } from "../bounds.js";
import {
  badge, button, card, choice, field, fillWith, heading, nothing, table, time,
} from "../parts.js";
import { hash } from "../place.js";
import { read } from "../server.js";

const PAGE = 50;
const ACTIONS = [
  "account.add", "account.delete", "account.friend", "account.import", "account.invite",
  "account.passwd", "account.resume", "account.set", "account.suspend", "account.unfriend",
  "announce", "device.add", "device.revoke", "kick", "limits.set", "operator.add",
  "operator.remove", "token.add", "token.revoke", "wire",
];

/** Make the view. */
export function deedsView({ values, signal }) {
  const who = h("input", {
    value: values.get("who") ?? "", autocomplete: "off", spellcheck: "false",
    maxlength: MOST.deeds.who,
  });
  const action = choice([["", t("op.any_action")], ...ACTIONS.map((one) => [one, named(one)])],
    values.get("action") ?? "");
  const found = h("div");
  const look = () => {
    const wanted = { who: who.value.trim() || null, action: action.value || null };
    history.replaceState(null, "", hash("deeds", "", wanted));
    return fillWith(found, () => pages(wanted, signal), signal);
  };
  look();
  return h("div", { class: "stack" }, heading(t("op.nav.deeds")),
    h("p", { class: "muted" }, t("op.deeds_hint")),
    h("form", {
      class: "filters", role: "search",
      onsubmit: (event) => {
        event.preventDefault();
        look();
      },
    }, field(t("op.who_did"), who, t("op.who_did_hint")), field(t("op.action"), action),
    h("button", { class: "button" }, t("op.filter"))),
    card(t("op.nav.deeds"), found));
}

async function pages(wanted, signal) {
  const all = [];
  const rows = h("div");
  const more = button(t("op.more"), () => grow(), "", { "data-key": "more" });
  const grow = async () => {
    const before = all.at(-1)?.id ?? null;
    const page = await read("deeds", { ...wanted, before, most: PAGE });
    if (signal.aborted) return;
    all.push(...page);
    rows.replaceChildren(all.length ? list(all) : nothing(t("op.no_deeds")));
    more.hidden = page.length < PAGE;
  };
  await grow();
  return [rows, h("div", { class: "line-up" }, more)];
}

function list(found) {
  return table(t("op.nav.deeds"), [
    { label: t("op.time"), cell: (one) => time(one.at) },
    { label: t("op.who_did"), cell: (one) => h("span", { dir: "auto" }, String(one.who)) },
    { label: t("op.action"), cell: (one) => named(one.action) },
    { label: t("op.with"), kind: "wide", cell: (one) => values(one.arguments) },
    {
      label: t("op.outcome"), kind: "wide",
      cell: (one) => (one.outcome === "" ? badge(t("op.done"), "good")
        : h("span", {}, badge(t("op.refused"), "bad"), " ",
          h("span", { class: "small-text", dir: "auto" }, one.outcome))),
    },
  ], found);
}

/** An action in words; what this page does not know yet is named as it is. */
function named(action) {
  const key = `op.deed.${action}`;
  const words = t(key);
  return words === key ? action : words;
}

function values(given) {
  const known = Object.entries(given).filter(([, value]) => value !== null);
  return h("ul", { class: "plain values" }, known.map(([name, value]) =>
    h("li", {}, h("span", { class: "muted" }, `${name} `),
      h("span", { dir: "auto" }, typeof value === "string" ? value : JSON.stringify(value)))));
}
