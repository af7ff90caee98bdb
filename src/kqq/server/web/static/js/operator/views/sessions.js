// Who is signed in now.

import { ApiError } from "../../common/api.js";
import { fill, h } from "../../common/dom.js";
import { t } from "../../common/words.js";
import { may, mayTo } from "../access.js";
import { kick } from "../doing.js";
import {
  badge, button, card, everySeconds, field, heading, keepFocus, nothing, span, table,
  tellIfSignedOut, trouble,
} from "../parts.js";
import { hash } from "../place.js";
import { roles, sessions } from "../server.js";

const PAGE = 200;
const EVERY = 5; // seconds

/** Make the view. */
export function sessionsView({ me, signal }) {
  let [most, found, theirs] = [PAGE, [], new Map()];
  const search = h("input", { type: "search", autocomplete: "off", spellcheck: "false" });
  const rows = h("div", { class: "stack", "aria-busy": "true" });
  const wrong = h("div");
  const show = () => keepFocus(rows, () => {
    const wanted = search.value.trim().toLowerCase();
    const shown = found.filter((one) =>
      [one.uin, one.nick, one.peer, one.over].join(" ").toLowerCase().includes(wanted));
    fill(rows,
      shown.length ? list(shown, me.role, theirs, look) : nothing(t("op.nobody_signed_in")),
      found.length >= most && button(t("op.more"), more, "", { "data-key": "more" }));
  });
  const look = async () => {
    try {
      [found, theirs] = await Promise.all([sessions(most), roles()]);
      if (signal.aborted) return;
      fill(wrong);
      show();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (signal.aborted) return;
      if (!wrong.hasChildNodes()) fill(wrong, trouble(error, look)); // said once
      tellIfSignedOut(error);
    }
    rows.removeAttribute("aria-busy");
  };
  const more = () => {
    most += PAGE;
    return look();
  };
  search.addEventListener("input", show);
  everySeconds(EVERY, look, signal);
  return h("div", { class: "stack" }, heading(t("op.nav.sessions")), wrong,
    field(t("op.filter_sessions"), search), card(t("op.signed_in_now"), rows));
}

function list(found, role, theirs, look) {
  return table(t("op.signed_in_now"), [
    {
      label: t("op.who"),
      cell: (one) => h("a", { href: hash("people", one.uin), "data-key": `who-${one.uin}` },
        h("b", { dir: "auto" }, one.nick), " ", String(one.uin)),
    },
    {
      label: t("op.status"),
      cell: (one) => badge(t(`op.status.${one.status}`), one.status === "online" ? "good" : ""),
    },
    { label: t("op.over"), cell: (one) => one.over.toUpperCase() },
    { label: t("op.from"), cell: (one) => h("code", {}, one.peer) },
    { label: t("op.for"), kind: "figure", cell: (one) => span(one.seconds) },
    {
      label: t("op.silent"), kind: "figure",
      cell: (one) => (one.silent === null ? "–" : span(one.silent)),
    },
    ...(may(role, "kick") ? [{
      label: t("op.doings"), kind: "doings",
      cell: (one) => mayTo(role, "kick", theirs.get(one.uin))
        && button(t("op.kick"), async () => (await kick(one)) && look(), "small danger",
        { "aria-label": t("op.kick_whom", { who: `${one.nick} (${one.uin})` }),
          "data-key": `kick-${one.uin}` }),
    }] : []),
  ], found);
}
