// The way in: sign in, sign up, and the first administrator's link. Other pages put it wherever
// somebody must be signed in; it brings its own style.

import { api, setCsrf, whoAmI } from "../common/api.js";
import { fill } from "../common/dom.js";
import { register, t } from "../common/words.js";
import { copying } from "./copying.js";
import { entranceWords } from "./entrance_words.js";
import { usual } from "./form.js";
import { button, el } from "./live.js";
import { signIn } from "./sign_in.js";
import { firstAdministrator, signUp } from "./sign_up.js";

const STYLE = "/static/css/entrance.css";

register(entranceWords);

/** Return what stands under a name in the hash of the page, "" for nothing. */
function hashValue(name, hash = location.hash) {
  return new URLSearchParams(hash.replace(/^#/, "")).get(name) ?? "";
}

/** Take what was secret out of the address, where others could read it, and the history has it. */
function forgetHash() {
  if (!hashValue("first") && !hashValue("invitation")) return;
  history.replaceState(history.state, "", location.pathname + location.search);
}

/**
 * Make the way in. `onSignedIn` is called with what `GET /api/me` says, once somebody is signed
 * in; requests carry their word then. `first` is the code of the first administrator's link: the
 * `#first=CODE` of the page unless it is given, and "" for pages that have no such thing.
 * `#invitation=CODE` opens the form to sign up with the code filled in.
 * @param {{onSignedIn: (me: any) => any, first?: string}} of
 * @returns {HTMLElement}
 */
export function entrance({ onSignedIn, first = hashValue("first") }) {
  const name = () => t("entrance.title");
  const element = el("section", { class: "entrance card", "aria-label": name });
  const invitation = hashValue("invitation");
  let hello = null;

  async function enter() {
    forgetHash();
    const me = await whoAmI();
    if (me === null) throw new Error("signed in, and yet nobody is: the cookie was not kept");
    await onSignedIn(me);
  }

  function show(form, ...more) {
    fill(element, form, more);
    form.focusFirst?.();
  }

  const link = (key, action) =>
    el("button", { type: "button", class: "link", onclick: action }, () => t(key));

  function showSignIn() {
    const isOpen = hello.registration !== "off";
    const other =
      isOpen &&
      el(
        "p",
        { class: "other" },
        el("span", {}, () => t(`entrance.no_number_${hello.registration}`)),
        " ",
        link("entrance.to_sign_up", showSignUp),
      );
    show(signIn({ done: enter }), other);
  }

  function showSignUp() {
    const form = signUp({
      registration: hello.registration,
      needsCaptcha: hello.needs_captcha,
      invitation,
      done: welcome,
    });
    const other = el(
      "p",
      { class: "other" },
      el("span", {}, () => t("entrance.has_number")),
      " ",
      link("entrance.to_sign_in", showSignIn),
    );
    show(form, other);
  }

  function showFirst(isNew) {
    const modes = [true, false].map((mode) =>
      el(
        "label",
        { class: "mode" },
        el("input", {
          type: "radio",
          name: "mode",
          checked: mode === isNew,
          onchange: () => change(mode),
        }),
        el("span", {}, () => t(mode ? "first.new" : "first.known")),
      ),
    );
    const place = el("div");
    const change = (mode) =>
      fill(
        place,
        firstAdministrator({
          code: first,
          isNew: mode,
          done: (uin, typed) => (mode ? welcome(uin, typed) : enter()),
        }),
      );
    change(isNew);
    fill(
      element,
      el("h1", {}, () => t("first.title")),
      el("p", { class: "muted" }, () => t("first.words")),
      el(
        "fieldset",
        { class: "modes" },
        el("legend", { class: "visually-hidden" }, () => t("first.which")),
        modes,
      ),
      place,
    );
    modes[isNew ? 0 : 1].firstChild.focus();
  }

  /** Say the new number, which nobody can look up later. */
  async function welcome(uin, { nick, password }) {
    forgetHash();
    remember(uin, nick, password);
    fill(
      element,
      el("h1", { tabindex: "-1" }, () => t("welcome.title", { nick })),
      el("p", { class: "label" }, () => t("welcome.number")),
      el(
        "p",
        { class: "number-shown" },
        el("output", {}, uin),
        copying(String(uin), "welcome.copy_name"),
      ),
      el("p", {}, () => t("welcome.words")),
      el("p", { class: "hint" }, () => t("welcome.phones")),
      el("div", { class: "line-up" }, button("welcome.go", enter, "primary")),
    );
    element.querySelector("h1").focus();
  }

  async function begin() {
    fill(element, el("p", { class: "muted", role: "status" }, () => t("entrance.loading")));
    try {
      hello = await api.get("/api/hello");
      if (hello.signed_in) setCsrf((await whoAmI())?.csrf);
    } catch (error) {
      const mistake = usual(error);
      fill(
        element,
        el("p", { class: "note bad", role: "alert" }, () => t(mistake.key, mistake.values)),
        button("entrance.again", begin),
      );
      return;
    }
    if (first) showFirst(true);
    else if (invitation && hello.registration !== "off") showSignUp();
    else showSignIn();
  }

  dress();
  begin();
  return element;
}

/** Have the style on the page. */
function dress() {
  if (document.querySelector(`link[href="${STYLE}"]`)) return;
  document.head.append(el("link", { rel: "stylesheet", href: STYLE }));
}

/** Offer the browser to keep number and password; by itself it would take the nickname for it. */
function remember(uin, nick, password) {
  if (!("PasswordCredential" in window) || !navigator.credentials) return;
  const made = new window.PasswordCredential({ id: String(uin), name: nick, password });
  navigator.credentials.store(made).catch(() => {}); // whoever does not want that is asked no more
}
