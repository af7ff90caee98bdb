// Invitations: codes with which people make themselves an account.

import { h } from "../../common/dom.js";
import { t } from "../../common/words.js";
import { may } from "../access.js";
import { MOST } from "../bounds.js";
import { ask, tell } from "../dialogs.js";
import {
  button, card, fillWith, heading, nothing, number, shownOnce, table, time,
} from "../parts.js";
import { act, read } from "../server.js";


/** Make the view. */
export function invitationsView({ me, signal }) {
  const rows = h("div");
  const look = () => fillWith(rows, async () => list(await read("account.invitations")), signal);
  look();
  return h("div", { class: "stack" },
    heading(t("op.nav.invitations"), may(me.role, "account.invite")
      && button(t("op.invite"), async () => (await invite()) && look(), "primary")),
    h("p", { class: "muted" }, t("op.invitations_hint")),
    card(t("op.invitations_open"), rows));
}

function list(found) {
  if (!found.length) return nothing(t("op.no_invitations"));
  return table(t("op.invitations_open"), [
    { label: t("op.note"), cell: (one) => h("span", { dir: "auto" }, one.note || "–") },
    { label: t("op.uses_left"), kind: "figure", cell: (one) => number(one.uses) },
    { label: t("op.made"), cell: (one) => time(one.created) },
    { label: t("op.expires"), cell: (one) => time(one.expires) },
  ], found);
}

async function invite() {
  const most = MOST["account.invite"];
  const made = await ask({
    title: t("op.invite"),
    fields: [
      {
        name: "uses", label: t("op.uses"), hint: t("op.uses_hint"),
        input: h("input", { type: "number", min: 1, max: most.uses, value: 1 }),
      },
      {
        name: "days", label: t("op.days"), hint: t("op.days_hint"),
        input: h("input", { type: "number", min: 0, max: most.days, step: "any", value: 14 }),
      },
      {
        name: "note", label: t("op.note"), hint: t("op.note_hint"),
        input: h("input", { maxlength: most.note, dir: "auto" }),
      },
    ],
    yes: t("op.invite"),
    work: ({ uses, days, note }) =>
      act("account.invite", { uses: Number(uses), days: Number(days), note }),
  });
  if (!made) return null;
  const isOff = made.registration === "off";
  await tell(t("op.invitation_made"),
    h("p", {}, t("op.shown_once")),
    isOff && h("p", { class: "note warn" }, t("op.registration_is_off")),
    shownOnce(t("op.code"), made.code),
    shownOnce(t("op.invitation_link"),
      `${location.origin}/#invitation=${encodeURIComponent(made.code.replaceAll(" ", ""))}`),
    shownOnce(t("op.page_on_phone"), made.page),
    h("p", { class: "muted" },
      t("op.invitation_for", { uses: number(made.uses), days: number(made.days) })));
  return made;
}
