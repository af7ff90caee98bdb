// The frame around the views: the way between them, language, light, and who is here.

import { h } from "../common/dom.js";
import { setTheme, theme } from "../common/theme.js";
import { language, setLanguage, t } from "../common/words.js";
import { icon } from "./icons.js";
import { badge, button, choice } from "./parts.js";
import { hash } from "./place.js";

/**
 * Make the frame; views go into `main`, and `mark` shows which one it is.
 * @param {{me: any, sections: any[], leave: () => void, isOpen: boolean}} what
 */
export function shell({ me, sections, leave, isOpen: begunOpen }) {
  const main = h("main", { id: "main", tabindex: "-1" });
  const links = sections.map(({ name }) => h("a", { href: hash(name), "data-name": name },
    icon(name), h("span", {}, t(`op.nav.${name}`))));
  const nav = h("nav", { id: "sections", "aria-label": t("op.sections") },
    h("span", { class: "mark" }, t("op.title")),
    h("ul", {}, links.map((link) => h("li", {}, link))), foot(me, leave));
  const opener = button(icon("menu"), () => open(!isOpen()), "icon opener", {
    "aria-controls": "sections", "aria-expanded": "false", "aria-label": t("op.menu"),
  });
  const where = h("span", { class: "where" });
  const isOpen = () => opener.getAttribute("aria-expanded") === "true";
  const open = (shall) => {
    opener.setAttribute("aria-expanded", String(shall));
    element.classList.toggle("open", shall);
  };
  const element = h("div", { class: "frame" },
    h("a", { class: "skip button", href: "#main", onclick: skip }, t("op.skip")),
    h("header", { class: "top bar" }, opener, where),
    nav, h("div", { class: "shade", onclick: () => open(false) }), main);
  nav.addEventListener("click", (event) => {
    if (event.target.closest("a")) open(false);
  });
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !isOpen()) return;
    open(false);
    opener.focus();
  });

  function skip(event) {
    event.preventDefault(); // the hash says which view it is
    (main.querySelector("h1") ?? main).focus();
  }

  open(begunOpen);
  return {
    element,
    main,
    isOpen,
    mark(name) {
      where.textContent = t(`op.nav.${name}`);
      for (const link of links) {
        if (link.dataset.name === name) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
      }
    },
  };
}

/** Make the choices of language and light. */
export function taste() {
  const tongue = choice([["en", "English"], ["zh", "中文"]], language(), {
    class: "input", "aria-label": t("op.language"), "data-key": "language",
    onchange: (event) => setLanguage(event.target.value),
  });
  const light = choice(["auto", "light", "dark"].map((one) => [one, t(`op.theme.${one}`)]),
    theme(), {
      class: "input", "aria-label": t("op.theme"),
      onchange: (event) => setTheme(event.target.value),
    });
  return h("div", { class: "taste" }, tongue, light);
}

function foot(me, leave) {
  return h("div", { class: "foot" },
    h("div", { class: "who" }, h("b", {}, me.nick), h("span", { class: "muted" }, String(me.uin)),
      badge(t(`op.role.${me.role}`))),
    taste(),
    h("div", { class: "line-up" }, h("a", { class: "button small", href: "/" }, t("op.to_chat")),
      button(t("op.sign_out"), leave, "small")));
}
