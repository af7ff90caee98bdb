// Why can somebody not sign in? Their attempts, step by step, and what to do.

import { h } from "../../common/dom.js";
import { t } from "../../common/words.js";
import { may } from "../access.js";
import { MOST } from "../bounds.js";
import { badge, card, field, fillWith, heading, nothing, span, stamp } from "../parts.js";
import { hash } from "../place.js";
import { read } from "../server.js";
import { advice, remedy, stepWords } from "../steps.js";

const SHOWN = 20;
const GOOD = new Set(["signed_in", "captcha_right", "connected"]);
const QUIET = new Set(["captcha_shown", "closed", "disconnected", "replaced", "signed_out"]);

/** Make the view; the rest of the hash is the number or address. */
export function diagnosisView({ me, what, signal }) {
  const who = h("input", {
    value: what, autocomplete: "off", spellcheck: "false", maxlength: MOST.why.who, name: "who",
  });
  const found = h("div", { class: "stack" });
  const status = h("p", { class: "visually-hidden", role: "status" });
  const look = () => fillWith(found, async () => {
    const why = await read("why", { who: what, most: SHOWN });
    status.textContent = why.advice ? advice(why) : t("op.is_signed_in");
    return told(why, me);
  }, signal);
  if (what) look();
  return h("div", { class: "stack" }, heading(t("op.nav.diagnosis")),
    h("p", { class: "muted" }, t("op.diagnosis_hint")),
    h("form", {
      class: "filters", role: "search",
      onsubmit: (event) => {
        event.preventDefault();
        const wanted = who.value.trim();
        if (wanted && wanted !== what) location.hash = hash("diagnosis", wanted);
        else if (wanted) look();
      },
    }, field(t("op.number_or_address"), who),
    h("button", { class: "button primary" }, t("op.diagnose"))),
    status, found);
}

function told(found, me) {
  const attempts = [...found.attempts].reverse();
  return [
    card(t("op.finding", { who: found.who }),
      found.signed_in.map((one) => h("p", { class: "note good" }, t("op.is_in", {
        uin: one.uin, peer: one.peer, over: one.over.toUpperCase(), span: span(one.seconds),
      }))),
      found.advice && h("p", { class: "note warn", dir: "auto" }, advice(found)),
      h("div", { class: "line-up" },
        found.exists && h("a", { class: "button small", href: hash("people", found.who) },
          t("op.show_account")),
        found.is_number && may(me.role, "wire") && h("a",
          { class: "button small", href: hash("wire", "", { uin: found.who }) }, t("op.watch")))),
    card(t("op.attempts"), attempts.length
      ? h("ol", { class: "attempts" }, attempts.map(attempt)) : nothing(t("op.no_attempts"))),
  ];
}

function attempt(one) {
  const address = one.address.includes(":") ? `[${one.address}]` : one.address;
  const more = one.connections > 1 && t("op.connections_of", { count: one.connections });
  return h("li", {},
    h("h3", {}, h("span", {}, stamp(one.begun)), " ",
      badge(one.uin === null ? t("op.no_number") : String(one.uin)), " ",
      one.signed_in && badge(t("op.is_signed_in"), "good")),
    h("p", { class: "muted small-text" }, h("code", {}, `${address}:${one.port}`),
      ` · ${one.over.toUpperCase()} · `, h("code", {}, one.door), more && ` · ${more}`),
    h("ol", { class: "steps" }, steps(one)));
}

const FIRST = 5; // steps that are always kept; after them some may be left out

function steps(one) {
  const day = stamp(one.begun).slice(0, 10);
  const short = (date) => (stamp(date).startsWith(day) ? stamp(date).slice(11) : stamp(date));
  const rows = one.steps.map((taken, position) => {
    const kind = kindOf(taken);
    const isLast = position === one.steps.length - 1;
    const what = kind === "bad" || isLast ? remedy(taken) : "";
    return h("li", { class: kind },
      h("span", { class: "when" }, short(taken.last)),
      h("span", { dir: "auto" }, stepWords(taken),
        taken.count > 1 && h("span", { class: "muted" },
          ` ${t("op.times_since", { count: taken.count, since: short(taken.first) })}`),
        what && h("span", { class: "muted remedy" }, what)));
  });
  if (one.left_out) {
    rows.splice(FIRST, 0,
      h("li", { class: "quiet" }, h("span", { class: "when" }, "…"),
        h("span", {}, t("op.left_out", { count: one.left_out }))));
  }
  return rows;
}

const kindOf = ({ step }) => (GOOD.has(step) ? "good" : QUIET.has(step) ? "quiet" : "bad");
