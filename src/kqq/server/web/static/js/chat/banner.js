// What is wrong with the connection, and what can be done about it.

import { fill, h } from "../common/dom.js";
import { t } from "../common/words.js";
import { button } from "./dialog.js";
import { icon } from "./icons.js";

/** A connection that is made within this is not worth a word. Milliseconds. */
const QUICK = 1200;

/**
 * Make the banner of a messenger.
 * @param {import("../kqq/messenger.js").Messenger} messenger
 * @returns {HTMLElement & {redraw: () => void}}
 */
export function banner(messenger) {
  const element = h("div", { class: "banner", hidden: true });
  const told = h("div", { class: "visually-hidden", role: "status" });
  let timer = 0;
  let wasAway = false;

  function show(kind, drawing, words, ...more) {
    element.hidden = false;
    element.className = `banner ${kind}`;
    fill(element, icon(drawing, 18), h("span", { class: "spread" }, words), more);
    if (told.textContent !== words) told.textContent = words;
  }

  function draw() {
    clearTimeout(timer);
    const { phase } = messenger;
    if (phase === "online") {
      element.hidden = true;
      told.textContent = wasAway ? t("chat.online_again") : "";
      wasAway = false;
    } else if (phase === "connecting") {
      const say = () => show("", "clock", t("chat.connecting"));
      if (wasAway) say();
      else timer = setTimeout(say, QUICK);
    } else if (phase === "waiting") {
      wasAway = true;
      const seconds = h("span", { "aria-hidden": "true", class: "seconds" });
      const now = button(t("chat.try_now"), () => messenger.takeBack(), "small");
      show("warn", "warn", t("chat.no_connection"), seconds, now);
      count(seconds);
    } else if (phase === "replaced") {
      const back = button(t("chat.take_back"), () => messenger.takeBack(), "small primary");
      const isElsewhere = messenger.endedBy === "elsewhere";
      if (isElsewhere) show("bad", "phone", t("chat.replaced"), back);
      else show("bad", "warn", t("chat.ended"), back);
    } else element.hidden = true;
  }

  function count(seconds) {
    if (messenger.phase !== "waiting" || !seconds.isConnected) return;
    const left = Math.max(0, Math.ceil((messenger.retryAt - Date.now()) / 1000));
    seconds.textContent = t("chat.in_seconds", { count: left });
    timer = setTimeout(() => count(seconds), 500);
  }

  messenger.addEventListener("phase", draw);
  const box = h("div", { class: "banner-box" }, element, told);
  box.redraw = draw;
  draw();
  return box;
}
