// The account page: who is here, and which part of their account is shown.

import { ApiError, api, setCsrf, whoAmI } from "../common/api.js";
import { fill } from "../common/dom.js";
import { show as showTheme } from "../common/theme.js";
import { declare, languages, register, t } from "../common/words.js";
import { entrance } from "./entrance.js";
import { usual } from "./form.js";
import { frame } from "./frame.js";
import { button, el } from "./live.js";
import { leave } from "./leave.js";
import { password } from "./password.js";
import { phones } from "./phones.js";
import { profile } from "./profile.js";
import { reach } from "./reach.js";
import { sessions } from "./sessions.js";
import { stepWords } from "../common/step_words.js";
import { why } from "./why.js";
import { accountWords } from "./words.js";

register(accountWords);
register(stepWords);
showTheme();
declare();

const PARTS = [profile, reach, phones, sessions, why, password, leave];

/** Who is signed in, for all parts of the page; "me" tells when something of it has changed. */
class Account extends EventTarget {
  constructor(me) {
    super();
    this.me = me;
  }

  changed(me) {
    this.me = me;
    setCsrf(me.csrf);
    this.dispatchEvent(new CustomEvent("me"));
  }

  /** What is shown is of nobody any more. */
  gone(key = "") {
    setCsrf("");
    history.replaceState(null, "", location.pathname);
    showEntrance(key);
  }

  async signOut() {
    try {
      await api.post("/api/sign-out");
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
    }
    this.gone();
  }
}

function showEntrance(key = "") {
  const told = key && el("p", { class: "note", role: "status" }, () => t(key));
  stop();
  fill(document.body, frame({ account: null }).top, el("main", { class: "page narrow" }, told,
    entrance({ onSignedIn: showAccount, first: "" })));
  title("account.title");
}

function showAccount(me) {
  const account = new Account(me);
  const parts = PARTS.map((part) => part(account));
  const { top, nav } = frame({ account, parts });
  const back = el("a", { class: "back", href: "#" }, "‹ ", () => t("account.all"));
  const shown = el("div", { class: "shown" }, back, parts.map((part) => part.element));
  const main = el("main", { class: "page", id: "main" }, nav, shown);
  stop();
  fill(document.body, top, main);
  const go = (isFirst = false) => {
    const name = location.hash.replace(/^#/, "");
    const chosen = parts.find((part) => part.name === name);
    main.classList.toggle("at-menu", !chosen);
    const at = chosen ?? parts[0];
    for (const part of parts) part.element.hidden = part !== at;
    nav.mark(at.name, Boolean(chosen));
    title(`account.${at.name}`);
    at.enter?.();
    if (isFirst) return;
    scrollTo(0, 0);
    (chosen ? at.element.querySelector("h1") : nav).focus({ preventScroll: true });
  };
  const listening = new AbortController();
  addEventListener("hashchange", () => go(), { signal: listening.signal });
  stop = () => listening.abort();
  go(true);
}

let stop = () => {};
let titled = "account.title";

function title(key = titled) {
  titled = key;
  document.title = `${t(key)} · KQQ`;
}

languages.addEventListener("language", () => title());

async function start() {
  try {
    const me = await whoAmI();
    if (me) showAccount(me);
    else showEntrance();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const mistake = usual(error);
    fill(document.body, el("main", { class: "page narrow" },
      el("p", { class: "note bad", role: "alert" }, () => t(mistake.key, mistake.values)),
      button("entrance.again", start)));
  }
}

start();
