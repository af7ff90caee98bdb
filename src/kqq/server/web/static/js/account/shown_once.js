// The password of a phone, as it is shown once: with all that must be typed into the phone.

import { t } from "../common/words.js";
import { copying } from "./copying.js";
import { button, el } from "./live.js";

/** Which settings there are, in the order in which phones ask for them. */
const SETTINGS = ["number", "server", "port", "discovery", "http"];

/**
 * Show what was made; `close` is called when it has been typed in.
 * @param {{name: string, password: string, grouped: string, settings: Record<string, any>,
 *   qr?: string}} made
 * @param {() => any} close
 */
export function shownOnce({ name, password, grouped, settings, qr }, close) {
  const head = el("h2", { tabindex: "-1" }, () => t("once.title", { name }));
  const hold = (event) => element.isConnected && event.preventDefault(); // it cannot be had again
  addEventListener("beforeunload", hold);
  const done = () => {
    removeEventListener("beforeunload", hold);
    close();
  };
  const known = SETTINGS.filter((key) => (settings[key] ?? "") !== "");
  const others = Object.keys(settings).filter((key) => !SETTINGS.includes(key));
  const line = (key) => setting(key, String(settings[key]), String(settings[key]));
  const element = el(
    "div",
    { class: "card once" },
    head,
    el("p", { class: "note warn" }, () => t("once.words")),
    el(
      "div",
      { class: "once-content" },
      el(
        "dl",
        { class: "settings" },
        known.filter((key) => key === "number").map(line),
        setting("password", grouped, password, "code"),
        [...known.filter((key) => key !== "number"), ...others].map(line),
      ),
      qr && el(
        "figure",
        { class: "qr" },
        el("img", {
          src: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(qr)}`,
          alt: () => t("once.qr_alt"),
          width: 200,
          height: 200,
        }),
        el("figcaption", { class: "hint" }, () => t("once.qr")),
      ),
    ),
    el("details", { class: "how" },
      el("summary", {}, () => t("once.how")),
      el("ol", {}, ["type", "held", "where", "fail"].map((key) =>
        el("li", {}, () => t(`once.how_${key}`))))),
    el(
      "div",
      { class: "line-up" },
      button("once.done", done, "primary"),
      button("once.print", () => print()),
    ),
  );
  return { element, focus: () => head.focus() };
}

const fours = (grouped) =>
  grouped.split(" ").map((four) => el("span", { class: "four" }, `${four} `));

function setting(key, shown, copied, kind = "") {
  const name = `once.${key}`;
  return el(
    "div",
    { class: `setting ${kind}` },
    el("dt", {}, () => (t(name) === name ? key : t(name))),
    el("dd", {},
      el("span", { class: "mono value" }, kind === "code" ? fours(shown) : shown),
      copying(copied, name)),
  );
}
