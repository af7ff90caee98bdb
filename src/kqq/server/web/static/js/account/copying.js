// Buttons that copy a text.

import { copyText } from "../common/copy.js";
import { register, t } from "../common/words.js";
import { el } from "./live.js";

const SHOWN = 2000; // milliseconds

register({
  en: {
    "copy.button": "Copy",
    "copy.done": "Copied",
    "copy.failed": "Cannot copy",
  },
  zh: {
    "copy.button": "复制",
    "copy.done": "已复制",
    "copy.failed": "无法复制",
  },
});

/**
 * Make a button that copies `text`; `what` is the key of what it is called.
 * @param {string} text
 * @param {string} what
 */
export function copying(text, what) {
  let state = "copy.button";
  const words = el("span", {}, () => t(state));
  const told = el("span", { class: "visually-hidden", role: "status" });
  const say = (key) => {
    state = key;
    words.textContent = t(key);
  };
  const run = async () => {
    say((await copyText(text)) ? "copy.done" : "copy.failed");
    told.textContent = t(state);
    setTimeout(() => {
      say("copy.button");
      told.textContent = "";
    }, SHOWN);
  };
  const hidden = el("span", { class: "visually-hidden" }, () => t(what));
  const pressed = { type: "button", class: "button small", onclick: run };
  return el("span", { class: "copying" }, el("button", pressed, words, " ", hidden), told);
}
