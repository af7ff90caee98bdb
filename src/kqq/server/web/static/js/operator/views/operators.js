// Who may do what: operators with their roles, and tokens for programs.

import { h } from "../../common/dom.js";
import { t } from "../../common/words.js";
import { ROLES, may } from "../access.js";
import { MOST } from "../bounds.js";
import { ask, tell } from "../dialogs.js";
import {
  badge, button, card, choice, fillWith, heading, nothing, readUin, say, shownOnce, table, time,
} from "../parts.js";
import { hash } from "../place.js";
import { act, read } from "../server.js";

/** Make the view. */
export function operatorsView({ me, signal }) {
  const can = (action) => may(me.role, action);
  const people = h("div");
  const tokens = h("div");
  const lookAtPeople = () =>
    fillWith(people, async () => operators(await read("operator.list"), can, lookAtPeople, me),
      signal);
  const lookAtTokens = () =>
    fillWith(tokens, async () => programs(await read("token.list"), can, lookAtTokens), signal);
  lookAtPeople();
  lookAtTokens();
  const rights = h("ul", { class: "plain roles" }, ROLES.map((role) =>
    h("li", {}, badge(t(`op.role.${role}`)), " ", t(`op.role_may.${role}`))));
  return h("div", { class: "stack" }, heading(t("op.nav.operators")),
    h("section", { class: "card", "aria-label": t("op.roles") }, rights),
    card(t("op.operators"), people, can("operator.add") && h("div", { class: "line-up" },
      button(t("op.add_operator"), async () => (await addOperator()) && lookAtPeople()))),
    card(t("op.tokens"), h("p", { class: "muted" }, t("op.tokens_hint")), tokens,
      can("token.add") && h("div", { class: "line-up" },
        button(t("op.add_token"), async () => (await addToken()) && lookAtTokens()))));
}

const roles = (chosen) => choice(
  ROLES.map((role) => [role, `${t(`op.role.${role}`)} – ${t(`op.role_may.${role}`)}`]), chosen);

function operators(found, can, look, me) {
  if (!found.length) return nothing(t("op.no_operators"));
  return table(t("op.operators"), [
    {
      label: t("op.who"),
      cell: (one) => h("a", { href: hash("people", one.uin) },
        h("b", { dir: "auto" }, one.nick), " ", String(one.uin)),
    },
    { label: t("op.role"), cell: (one) => badge(t(`op.role.${one.role}`)) },
    { label: t("op.since"), cell: (one) => time(one.since) },
    ...(can("operator.remove") ? [{
      label: t("op.doings"), kind: "doings",
      cell: (one) => h("div", { class: "line-up" },
        button(t("op.change"), async () => (await addOperator(one)) && look(), "small",
          { "aria-label": `${t("op.change")}: ${one.nick}`, "data-key": `role-${one.uin}` }),
        button(t("op.remove"), async () => (await removeOperator(one, me)) && look(),
          "small danger",
          { "aria-label": `${t("op.remove")}: ${one.nick}`, "data-key": `remove-${one.uin}` })),
    }] : []),
  ], found);
}

async function addOperator(one = null) {
  const uin = h("input", {
    inputmode: "numeric", autocomplete: "off", value: one?.uin ?? "", readonly: one !== null,
  });
  const done = await ask({
    title: one ? t("op.change_whom", { who: `${one.nick} (${one.uin})` }) : t("op.add_operator"),
    fields: [
      { name: "uin", label: t("op.number"), input: uin },
      { name: "role", label: t("op.role"), input: roles(one?.role ?? "observer") },
    ],
    yes: one ? t("op.save") : t("op.add"),
    work: (values) => act("operator.add", { uin: readUin(values.uin), role: values.role }),
  });
  if (done) say(t("op.saved"), "good");
  return done;
}

async function removeOperator(one, me) {
  const isMe = one.uin === me.uin;
  const done = await ask({
    title: t("op.remove_operator", { who: `${one.nick} (${one.uin})` }),
    words: t(isMe ? "op.remove_me_hint" : "op.remove_operator_hint"),
    yes: t("op.remove"), danger: true, typed: isMe ? String(one.uin) : undefined,
    work: () => act("operator.remove", { uin: one.uin }),
  });
  if (done) say(t("op.saved"), "good");
  return done;
}

function programs(found, can, look) {
  if (!found.length) return nothing(t("op.no_tokens"));
  const isOver = (one) => one.expires * 1000 < Date.now();
  return table(t("op.tokens"), [
    { label: t("op.name"), cell: (one) => h("b", { dir: "auto" }, one.name) },
    { label: t("op.role"), cell: (one) => badge(t(`op.role.${one.role}`)) },
    { label: t("op.made"), cell: (one) => time(one.created) },
    {
      label: t("op.expires"),
      cell: (one) => (isOver(one) ? badge(t("op.expired"), "bad") : time(one.expires)),
    },
    {
      label: t("op.last_used"),
      cell: (one) => (one.seen === null ? t("op.never") : time(one.seen)),
    },
    ...(can("token.revoke") ? [{
      label: t("op.doings"), kind: "doings",
      cell: (one) => button(t("op.revoke"), async () => (await revokeToken(one)) && look(),
        "small danger",
        { "aria-label": `${t("op.revoke")}: ${one.name}`, "data-key": `token-${one.name}` }),
    }] : []),
  ], found);
}

async function addToken() {
  const most = MOST["token.add"];
  const made = await ask({
    title: t("op.add_token"),
    fields: [
      { name: "name", label: t("op.name"), hint: t("op.token_name_hint"),
        input: h("input", { maxlength: most.name, autocomplete: "off", dir: "auto" }) },
      { name: "role", label: t("op.role"), input: roles("observer") },
      { name: "days", label: t("op.days"), hint: t("op.token_days_hint"),
        input: h("input", { type: "number", min: 1, max: most.days, value: 90 }) },
    ],
    yes: t("op.add"),
    work: ({ name, role, days }) => act("token.add", { name, role, days: Number(days) }),
  });
  if (made) {
    await tell(t("op.token_made", made), h("p", {}, t("op.shown_once")),
      shownOnce(t("op.token"), made.token),
      h("p", { class: "muted" }, t("op.token_use"), " ",
        h("code", {}, "Authorization: Bearer …")));
  }
  return made;
}

async function revokeToken(one) {
  const done = await ask({
    title: `${t("op.revoke")}: ${one.name}`, words: t("op.revoke_token_hint"),
    yes: t("op.revoke"), danger: true,
    work: () => act("token.revoke", { name: one.name }),
  });
  if (done) say(t("op.saved"), "good");
  return done;
}
