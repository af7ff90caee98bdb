// The operator's page: who is here, what they may do, and which view is shown.

import { entrance } from "../account/entrance.js";
import { ApiError, api, setCsrf, whoAmI } from "../common/api.js";
import { fill, h } from "../common/dom.js";
import { show as showTheme } from "../common/theme.js";
import { declare, languages, t } from "../common/words.js";
import { keepFocus, trouble } from "./parts.js";
import { firstCode, place } from "./place.js";
import { shell, taste } from "./shell.js";
import { SECTIONS, sectionsOf } from "./sections.js";
import "./words.js";
import "./words_doings.js";
import "./words_settings.js";
import "./words_steps.js";
import "./words_views.js";

let me = null;
let wanted = ""; // the hash that somebody came with, while they sign in
let frame = null; // the shell, while somebody with a role is here
let leaving = new AbortController();
let first = firstCode(location.hash);
let isEntrance = false;
const mark = h("p", { class: "mark" });
const corner = h("footer", { class: "corner" });

showTheme();
declare();
if (first) forgetCode();
addEventListener("hashchange", () => {
  const code = firstCode(location.hash);
  if (code) {
    first = code;
    forgetCode();
    showEntrance();
  } else if (frame) {
    showView();
  }
});
document.addEventListener("signed-out", () => {
  if (frame) start(); // which finds out who is here now, and what they may do
});
languages.addEventListener("language", () => {
  if (isEntrance) showTaste(); // the rest of it follows by itself, and keeps what was typed
  else if (frame) keepFocus(document.body, () => showShell(frame.isOpen()));
  else start();
});
start();

/** The code is for one use; it should not stay where others may read it. */
function forgetCode() {
  history.replaceState(null, "", location.pathname);
}

async function start() {
  try {
    me = first ? null : await whoAmI();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    alone(trouble(error, start));
    return;
  }
  if (!me) showEntrance();
  else if (!sectionsOf(me.role).length) showNoRole();
  else showShell();
}

function showEntrance() {
  me = null;
  wanted ||= location.hash; // which the entrance forgets, since hashes may hold secrets
  const onSignedIn = () => {
    first = "";
    if (wanted) history.replaceState(null, "", wanted);
    wanted = "";
    return start();
  };
  alone(entrance({ onSignedIn, first }));
  isEntrance = true;
}

function showNoRole() {
  alone(h("section", { class: "card stack" },
    h("h1", {}, t("op.no_role", { uin: me.uin })),
    h("p", { class: "muted" }, t("op.no_role_hint")),
    h("div", { class: "line-up" },
      h("a", { class: "button primary", href: "/" }, t("op.to_chat")),
      h("button", { type: "button", class: "button", onclick: leave }, t("op.sign_out")))));
}

function showShell(isOpen = false) {
  isEntrance = false;
  document.body.classList.remove("alone");
  frame = shell({ me, sections: sectionsOf(me.role), leave, isOpen });
  fill(document.body, frame.element);
  showView({ isFirst: true });
}

function showView({ isFirst = false } = {}) {
  leaving.abort();
  leaving = new AbortController();
  document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
  const allowed = sectionsOf(me.role);
  const { view, what, values } = place(location.hash);
  const section = allowed.find((one) => one.name === view)
    ?? (SECTIONS.some((one) => one.name === view) ? null : allowed[0]);
  frame.mark(section?.name ?? view);
  document.title = `${t(`op.nav.${section?.name ?? view}`)} · ${t("op.title")}`;
  const shown = section
    ? section.view({ me, what, values, signal: leaving.signal })
    : h("section", { class: "card stack" }, h("h1", { tabindex: "-1" }, t(`op.nav.${view}`)),
      h("p", {}, t("op.not_yours", { role: t(`op.role.${me.role}`) })));
  fill(frame.main, shown);
  scrollTo(0, 0);
  if (!isFirst) (frame.main.querySelector("h1") ?? frame.main).focus({ preventScroll: true });
}

async function leave() {
  try {
    await api.post("/api/sign-out");
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
  }
  setCsrf("");
  showEntrance();
}

function alone(...children) {
  leaving.abort();
  frame = null;
  isEntrance = false;
  document.body.classList.add("alone");
  fill(document.body, h("main", {}, mark, children), corner);
  showTaste();
}

function showTaste() {
  document.title = t("op.title");
  fill(mark, t("op.title"));
  keepFocus(corner, () => fill(corner, taste()));
}
