// One message as it stands in the conversation.

import { append, fill, h } from "../common/dom.js";
import { clock, moment } from "../common/time.js";
import { t } from "../common/words.js";
import { icon } from "./icons.js";

const LINK = /\bhttps?:\/\/[^\s<>"'`\u3000-\u303f\uff00-\uffef]+/giu;
const LINK_END = /[.,;:!?)\]}*_~]+$/u;
/** Signs and lines that are shown of a long message until all of it is wanted. */
const MOST_SIGNS = 1_500;
const MOST_LINES = 30;
const UNSEEN = /[\s\p{Cf}\p{Cc}\p{M}\u115f\u1160\u2800\u3164\uffa0]/gu;
const ONLY_EMOJI = /^(?:\p{Extended_Pictographic}|\p{Emoji_Modifier}|\p{RI}|[\u200d\ufe0f\s])+$/u;
const PICTURE = /\p{Extended_Pictographic}|\p{RI}{2}/gu;

const MARKS = { waiting: "clock", sent: "check", unknown: "warn", refused: "warn" };

/**
 * Make the element of a message. `does` are the ways out of its troubles.
 * @param {import("../kqq/history.js").Message} message
 * @param {string} sender as people call them
 * @param {{resend: (id: string) => any, discard: (id: string) => any}} does
 */
export function messageElement(message, sender, does) {
  const side = message.own ? "own" : message.kind === "system" ? "system" : "theirs";
  const { text, at, id, state } = message;
  const bubble = h(
    "div",
    { class: `bubble${isBig(text) ? " big" : ""}` },
    h("span", { class: "visually-hidden sender" }, `${sender}: `),
    words(text),
    h(
      "span",
      { class: "meta" },
      h("time", { datetime: new Date(at).toISOString(), title: moment(at) }, clock(at)),
      message.own && mark(state),
    ),
  );
  const element = h("li", { class: `message ${side}`, "data-id": id, "data-state": state }, bubble);
  return append(element, trouble(message, does));
}

/** Which state a message of one's own is in, as a drawing with a name. */
function mark(state) {
  const name = t(`chat.state_${state}`);
  return h(
    "span",
    { class: `mark ${state}`, role: "img", "aria-label": name, title: name },
    icon(MARKS[state], 14),
  );
}

function trouble({ own, state, why, id }, { resend, discard }) {
  if (!own || (state !== "unknown" && state !== "refused")) return null;
  const act = (key, action) =>
    h("button", { type: "button", class: "button small", onclick: () => action(id) }, t(key));
  const told = state === "unknown" ? t("chat.unknown_words") : whyNot(why);
  return h(
    "div",
    { class: "trouble" },
    h("span", {}, told),
    act("chat.resend", resend),
    act("chat.discard", discard),
  );
}

function whyNot(why) {
  return why ? t("chat.refused_because", { why }) : t("chat.refused_words");
}

/** The text itself, with its links; of a long one the beginning. */
function words(text) {
  const element = h("div", { class: "text", dir: "auto" });
  if (text && !text.replace(UNSEEN, "")) {
    return fill(element, h("em", { class: "muted" }, t("chat.nothing_seen")));
  }
  const short = beginning(text);
  fill(element, linked(short));
  if (short.length === text.length) return element;
  const more = h(
    "button",
    {
      type: "button",
      class: "button small more",
      onclick: () => {
        fill(element, linked(text));
        element.tabIndex = -1;
        element.focus({ preventScroll: true });
      },
    },
    t("chat.show_all", { count: text.length }),
  );
  return append(element, "… ", more);
}

function beginning(text) {
  const lines = text.split("\n", MOST_LINES + 1);
  const few = lines.length > MOST_LINES ? lines.slice(0, MOST_LINES).join("\n") : text;
  if (few.length <= MOST_SIGNS * 1.2) return few;
  return few.slice(0, MOST_SIGNS).replace(/[\ud800-\udbff]$/u, "");
}

/** A text with its links; only those to the web are. */
export function linked(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    const address = match[0].replace(LINK_END, "");
    if (!URL.canParse(address)) continue;
    parts.push(text.slice(end, match.index));
    end = match.index + address.length;
    parts.push(
      h("a", { href: address, target: "_blank", rel: "noopener noreferrer nofollow" }, address),
    );
  }
  parts.push(text.slice(end));
  return parts;
}

/** Whether it is one to three emoji and nothing else. */
function isBig(text) {
  if (text.length > 40 || !ONLY_EMOJI.test(text)) return false;
  const joined = text.replace(/\u200d\p{Extended_Pictographic}/gu, "");
  const count = [...joined.matchAll(PICTURE)].length;
  return count > 0 && count <= 3;
}
