// What people wrote, made fit to stand beside our own words: it cannot turn them around, hide or
// grow without end.

import { h } from "../common/dom.js";
import { t } from "../common/words.js";

/** The sender of the server's own words; nobody answers it. */
export const SYSTEM = 10000;

const LONGEST_NAME = 64;
/** Signs that turn, join or hide others, and controls; emoji need the joiner and the selector. */
const UNSEEN = new RegExp(
  [
    "[\\p{Cc}\\p{Cs}\\p{Co}\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f",
    "\\u200b\\u200c\\u200e\\u200f\\u202a-\\u202e\\u2060-\\u206f\\u2800\\u3164\\ufeff\\uffa0",
    "\\ufff9-\\ufffb]",
  ].join(""),
  "gu",
);
const ALONE = /[\s\u200d\ufe0e\ufe0f\p{M}\u{e0000}-\u{e0fff}]/gu;
/** More marks on one sign than any language puts there. */
const PILES = /(\p{M}{4})\p{M}+/gu;

/**
 * Return a text as one line that shows what it is.
 * @param {string} text
 * @param {number} [most] signs
 */
export function oneLine(text, most = 200) {
  const line = text
    .slice(0, most * 4)
    .replace(/\s+/gu, " ")
    .replace(UNSEEN, "")
    .replace(PILES, "$1")
    .trim();
  const signs = [...line];
  return signs.length > most ? `${signs.slice(0, most).join("")}…` : line;
}

/**
 * Return how somebody is called: the nickname, or the number where that shows nothing.
 * @param {{uin: number, nick?: string}} person
 */
export function nameOf({ uin, nick = "" }) {
  if (uin === SYSTEM) return t("chat.system");
  const name = oneLine(nick, LONGEST_NAME);
  return name.replace(ALONE, "") ? name : String(uin);
}

/**
 * Return a text with every sign that cannot be seen written as its number, such as ‹202E›: for who
 * wants to know just what went over the wire.
 * @param {string} text
 */
export function laidOpen(text) {
  return text.replace(UNSEEN, (sign) => {
    const code = sign.codePointAt(0);
    return code === 10 ? "\n" : `‹${code.toString(16).toUpperCase().padStart(4, "0")}›`;
  });
}

/** Return a name as an element in which another direction of writing stays. */
export function named(person, attributes = {}) {
  return h("bdi", attributes, nameOf(person));
}
