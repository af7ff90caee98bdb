// The frame: the bar at the top, and the way between the parts.

import { fill } from "../common/dom.js";
import { setTheme, theme } from "../common/theme.js";
import { language, setLanguage, t } from "../common/words.js";
import { face } from "../common/face.js";
import { icon } from "./icons.js";
import { el } from "./live.js";

const THEMES = ["auto", "light", "dark"];

/**
 * Make the bar, and with somebody signed in the way between the parts of the page.
 * @param {{account: any, parts?: {name: string}[]}} of
 */
export function frame({ account, parts = [] }) {
  const top = el(
    "header",
    { class: "bar top" },
    account
      && el("a", { class: "skip button", href: "#main", onclick: skip }, () => t("account.skip")),
    el("a", { class: "brand", href: "/", title: () => t("account.to_chat") }, "KQQ"),
    el("span", { class: "spread muted cut" }, () => t("account.title")),
    tongue(),
    light(),
    account
      && el(
        "button",
        { type: "button", class: "button quiet icon-small", onclick: () => account.signOut(),
          title: () => t("account.sign_out"), "aria-label": () => t("account.sign_out") },
        icon("out"),
        el("span", { class: "wide-only" }, () => t("account.sign_out")),
      ),
  );
  return { top, nav: account ? menu(account, parts) : null };
}

function skip(event) {
  event.preventDefault(); // the hash says which part it is
  document.querySelector(".part:not([hidden]) h1")?.focus();
}

/** The button that has the other language; it says so in that language. */
function tongue() {
  return el(
    "button",
    {
      type: "button",
      class: "button quiet small",
      lang: () => (language() === "zh" ? "en" : "zh-CN"),
      onclick: () => setLanguage(language() === "zh" ? "en" : "zh"),
    },
    () => t("account.other_language"),
  );
}

function light() {
  const button = el("button", {
    type: "button",
    class: "button icon",
    title: () => t(`account.light_${theme()}`),
    "aria-label": () => t(`account.light_${theme()}`),
    onclick: () => {
      setTheme(THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length]);
      draw();
    },
  });
  const draw = () => {
    fill(button, icon(theme()));
    button.title = t(`account.light_${theme()}`);
    button.setAttribute("aria-label", button.title);
  };
  draw();
  return button;
}

function menu(account, parts) {
  const links = parts.map(({ name }) =>
    el(
      "a",
      { class: "row", href: `#${name}`, "data-name": name },
      icon(name),
      el(
        "span",
        { class: "spread" },
        el("span", { class: "name" }, () => t(`account.${name}`)),
        el("span", { class: "muted small-text about" }, () => t(`account.${name}_about`)),
      ),
    ),
  );
  const who = el("div", { class: "who" });
  const draw = () => {
    const { uin, nick, face: number } = account.me;
    fill(who, face(number, nick), el("div", { class: "spread" },
      el("div", { class: "name cut" }, nick), el("div", { class: "muted" }, uin)));
  };
  account.addEventListener("me", draw);
  draw();
  const others = [["chat", "/", "account.to_chat"]];
  if (account.me.role) others.push(["operator", "/operator", "account.to_operator"]);
  const nav = el(
    "nav",
    { class: "menu-of-parts", tabindex: "-1", "aria-label": () => t("account.parts") },
    who,
    el("ul", { class: "list" }, links.map((link) => el("li", {}, link))),
    el("ul", { class: "list others" }, others.map(([drawing, href, key]) =>
      el("li", {}, el("a", { class: "row", href }, icon(drawing), el("span", {}, () => t(key)))))),
  );
  nav.mark = (name, isChosen) => {
    nav.classList.toggle("is-chosen", isChosen);
    for (const link of links) {
      if (link.dataset.name === name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  };
  return nav;
}
