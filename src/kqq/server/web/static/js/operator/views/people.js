// People: the list, page after page, with a search; one of them is `person.js`.

import { append, h } from "../../common/dom.js";
import { face } from "../../common/face.js";
import { ago } from "../../common/time.js";
import { t } from "../../common/words.js";
import { may } from "../access.js";
import { MOST } from "../bounds.js";
import { ask } from "../dialogs.js";
import {
  badge, button, choice, field, fillWith, heading, milliseconds, nothing, readUin, say,
} from "../parts.js";
import { hash } from "../place.js";
import { act, read } from "../server.js";
import { personView } from "./person.js";

const PAGE = 50;
const PAUSE = 250; // ms after the last key

/** Make the view: the list, or who is named by the rest of the hash. */
export function peopleView(context) {
  return context.what ? personView(context) : listView(context);
}

function listView({ me, signal, values }) {
  const search = h("input", {
    type: "search", value: values.get("search") ?? "", autocomplete: "off", spellcheck: "false",
    maxlength: MOST["account.list"].search,
  });
  const found = h("div");
  const look = () => fillWith(found, () => list(search.value.trim(), signal), signal);
  let timer = 0;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (signal.aborted) return;
      history.replaceState(null, "", hash("people", "", { search: search.value.trim() }));
      look();
    }, PAUSE);
  });
  look();
  return h("div", { class: "stack" },
    heading(t("op.nav.people"), may(me.role, "account.add")
      && button(t("op.add_person"), addPerson, "primary")),
    h("form", { role: "search", onsubmit: (event) => event.preventDefault() },
      field(t("op.search_people"), search)),
    h("section", { class: "card", "aria-label": t("op.nav.people") }, found));
}

/** Return a list that grows by a page at a time. */
async function list(search, signal) {
  const rows = h("ul", { class: "list" });
  const more = button(t("op.more"), () => grow(), "", { "data-key": "more" });
  let after = 0;
  const grow = async () => {
    const page = await read("account.list", { after, most: PAGE, search: search || null });
    if (signal.aborted) return;
    after = page.at(-1)?.uin ?? after;
    append(rows, page.map(row));
    more.hidden = page.length < PAGE;
  };
  await grow();
  if (!rows.children.length) return nothing(t(search ? "op.nobody_found" : "op.nobody_yet"));
  return [rows, h("div", { class: "line-up" }, more)];
}

function row(one) {
  const seen = one.last_seen === null ? t("op.never_here") : ago(milliseconds(one.last_seen));
  return h("li", {}, h("a", { class: "row", href: hash("people", one.uin) },
    face(one.face, one.nick),
    h("span", { class: "spread cut" }, h("b", { dir: "auto" }, one.nick), " ",
      h("span", { class: "muted" }, String(one.uin))),
    one.suspended === null ? null : badge(t("op.suspended"), "bad"),
    h("span", { class: "muted small-text" }, seen)));
}

async function addPerson() {
  const added = await ask({
    title: t("op.add_person"),
    fields: [
      {
        name: "nick", label: t("op.nick"),
        input: h("input", { maxlength: MOST["account.add"].nick, dir: "auto" }),
      },
      {
        name: "password", label: t("op.password"), hint: t("op.password_hint"),
        input: h("input", { type: "password", autocomplete: "new-password" }),
      },
      {
        name: "uin", label: t("op.number_if_any"), hint: t("op.number_hint"),
        input: h("input", { inputmode: "numeric", autocomplete: "off" }),
      },
      {
        name: "who_may_add", label: t("op.field.who_may_add"),
        input: choice(["", "anyone", "ask", "nobody"].map(
          (one) => [one, t(one ? `op.choice.${one}` : "op.as_usual")]), ""),
      },
    ],
    yes: t("op.add"),
    work: ({ nick, password, uin, who_may_add: mayAdd }) => act("account.add", {
      nick, password, ...(uin.trim() ? { uin: readUin(uin) } : {}),
      ...(mayAdd ? { who_may_add: mayAdd } : {}),
    }),
  });
  if (!added) return;
  say(t("op.added", added), "good");
  location.hash = hash("people", added.uin);
}
