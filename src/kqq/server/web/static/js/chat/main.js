// The beginning of the page: who is signed in here, and whether this tab may speak for them.

import { ApiError, whoAmI } from "../common/api.js";
import { fill, h } from "../common/dom.js";
import { lastOne, rememberOne } from "../common/last.js";
import { show as showTheme } from "../common/theme.js";
import { declare, language, languages, register, setLanguage, t } from "../common/words.js";
import { holdTab } from "../kqq/lock.js";
import { openChat } from "./chat.js";
import { chatWords } from "./words.js";

register(chatWords);
showTheme();
declare();

const page = document.querySelector("#page");
const catalogue = fetch("/static/catalogue.json").then((response) => {
  if (!response.ok) throw new Error(`the catalogue cannot be had: ${response.status}`);
  return response.json();
});
catalogue.catch(() => {}); // told when it is wanted

let chat = null;
let letGo = () => {};

/** Go on as who is signed in, or let somebody sign in. */
async function begin() {
  let me;
  try {
    me = await whoAmI();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // What this browser keeps can be read without the server, by who did not sign out.
    me = error.code === "offline" ? lastOne() : null;
    if (me === null) return showTrouble("chat.no_server", "");
  }
  return me === null ? showEntrance() : enter(me);
}

/** Speak for somebody, if no other tab does. */
async function enter(me, { steal = false } = {}) {
  rememberOne(me);
  const held = await holdTab(me.uin, () => lost(me), { steal });
  if (held === null) return showOther(me);
  letGo = held;
  try {
    chat = await openChat(me, { signedOut, catalogue: await catalogue });
  } catch (error) {
    // Such as in a private window of some browsers, which keep nothing.
    showTrouble(
      error instanceof DOMException ? "chat.no_storage" : "chat.no_server",
      error.message,
    );
    throw error;
  }
  return chat;
}

/** Another tab has taken over. */
async function lost(me) {
  await chat?.end();
  chat = null;
  showOther(me);
}

async function signedOut() {
  const was = chat;
  chat = null;
  rememberOne(null);
  await was?.end();
  letGo();
  globalThis.history.replaceState(null, "", location.pathname);
  showEntrance();
}

/** A screen with words and nothing else: `draw` gives it, in the language of the page. */
function showScreen(draw) {
  const place = h("div", { class: "entrance-page" });
  const redraw = () => place.isConnected && fill(place, draw());
  fill(page, place);
  redraw();
  languages.addEventListener("language", redraw);
  return place;
}

async function showEntrance() {
  const { entrance } = await import("../account/entrance.js");
  const form = entrance({ onSignedIn: enter });
  const place = showScreen(() => [
    h("header", { class: "bar plain" }, brand(), tongue()),
    h("main", {}, h("p", { class: "claim" }, t("chat.claim")), form),
  ]);
  return place;
}

/** Another tab has the chat. */
function showOther(me) {
  showScreen(() => [
    h("header", { class: "bar plain" }, brand(), tongue()),
    h(
      "main",
      { class: "card one-thing" },
      h("h1", {}, t("chat.other_tab")),
      h("p", {}, t("chat.other_tab_words")),
      h(
        "button",
        { type: "button", class: "button primary", onclick: () => enter(me, { steal: true }) },
        t("chat.use_here"),
      ),
    ),
  ]);
}

/** Nothing can be done now: `why` says more of it. */
function showTrouble(title, why) {
  const again = { type: "button", class: "button primary", onclick: () => location.reload() };
  showScreen(() => [
    h("header", { class: "bar plain" }, brand(), tongue()),
    h(
      "main",
      { class: "card one-thing" },
      h("h1", {}, t(title)),
      h("p", {}, why || t("chat.no_server_words")),
      h("button", again, t("chat.try_again")),
    ),
  ]);
}

function brand() {
  return h("span", { class: "brand spread" }, "KQQ");
}

function tongue() {
  const other = language() === "zh" ? "en" : "zh";
  return h(
    "button",
    {
      type: "button",
      class: "button quiet small",
      lang: other === "zh" ? "zh-CN" : "en",
      onclick: () => setLanguage(other),
    },
    other === "zh" ? "中文" : "English",
  );
}

/** On phones the keyboard covers the page; what is left of it is what we draw on. */
function followKeyboard() {
  const view = globalThis.visualViewport;
  const fit = () => {
    if (view.scale > 1.01) return; // somebody looks closer
    document.documentElement.style.setProperty("--height", `${Math.round(view.height)}px`);
  };
  view?.addEventListener("resize", fit);
  if (view) fit();
}

/** Have the page open without a network, and be installable. */
async function keepShell() {
  if (!("serviceWorker" in navigator)) return; // such as over plain HTTP
  const policy = globalThis.trustedTypes?.createPolicy("kqq-worker", {
    createScriptURL: () => "/sw.js",
  });
  try {
    await navigator.serviceWorker.register(policy?.createScriptURL("") ?? "/sw.js");
  } catch (error) {
    console.info("the page will need the network each time:", error);
  }
}

followKeyboard();
await begin();
keepShell();
