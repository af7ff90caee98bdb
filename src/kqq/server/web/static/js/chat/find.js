// Seeking: friends by name or number, and words in all that was said.

import { fill, h } from "../common/dom.js";
import { clock } from "../common/time.js";
import { t } from "../common/words.js";
import { openDialog } from "./dialog.js";
import { dayWords } from "./log.js";
import { named, nameOf, oneLine } from "./names.js";
import { portrait, statusWords } from "./roster.js";

const MOST_FRIENDS = 6;
const MOST_MESSAGES = 50;
const PAUSE = 120; // milliseconds after the last key
const BEFORE = 30; // signs before what was found

/**
 * Open the search. With `peer` it begins in the conversation with them.
 * @param {import("./talks.js").Talks} talks
 * @param {{peer?: number|null, open: (uin: number, how?: {find?: string}) => any}} how
 */
export function openFind(talks, { peer = null, open }) {
  let options = [];
  let place = 0;
  let timer = 0;
  let turn = 0;
  const field = h("input", {
    class: "input",
    type: "search",
    role: "combobox",
    autofocus: true,
    autocomplete: "off",
    "aria-expanded": "true",
    "aria-controls": "found",
    "aria-label": t("find.words"),
    placeholder: t(peer === null ? "find.words" : "find.words_here"),
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(seek, PAUSE);
    },
    onkeydown: pressed,
  });
  const only = h("input", { type: "checkbox", checked: peer !== null, onchange: seek });
  const found = h("ul", {
    class: "list found",
    id: "found",
    role: "listbox",
    "aria-label": t("find.found"),
  });
  const told = h("p", { class: "muted small-text", role: "status" });
  const dialog = openDialog({
    title: t("find.title"),
    kind: "find",
    body: [
      field,
      peer !== null &&
        h("label", { class: "switch" }, only, t("find.only_here", { name: talks.name(peer) })),
      told,
      found,
    ],
  });

  async function seek() {
    const mine = (turn += 1);
    const words = field.value.trim();
    const isHere = peer !== null && only.checked;
    const friends = isHere ? [] : friendsWith(talks, words);
    const how = { peer: isHere ? peer : null, most: MOST_MESSAGES };
    const messages = words ? await talks.history.search(words, how) : [];
    if (mine !== turn) return;
    options = [
      ...friends.map((row) => friendOption(row, () => go(row.uin))),
      ...messages.map((message) =>
        messageOption(talks, message, words, () => go(message.peer, { find: message.id })),
      ),
    ];
    options.forEach((option, at) => (option.id = `found-${at}`));
    fill(found, options);
    told.textContent = words && !options.length ? t("find.nothing") : "";
    move(0);
  }

  function go(uin, how) {
    dialog.close();
    open(uin, how);
  }

  function move(to) {
    place = Math.min(Math.max(to, 0), Math.max(options.length - 1, 0));
    options.forEach((option, at) => option.setAttribute("aria-selected", String(at === place)));
    if (!options.length) return field.removeAttribute("aria-activedescendant");
    field.setAttribute("aria-activedescendant", options[place].id);
    options[place].scrollIntoView({ block: "nearest" });
  }

  function pressed(event) {
    if (event.isComposing || event.keyCode === 229) return;
    const to = { ArrowDown: place + 1, ArrowUp: place - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      move(to);
    } else if (event.key === "Enter") {
      event.preventDefault();
      options[place]?.click();
    }
  }

  seek();
}

function friendsWith(talks, words) {
  const wanted = words.toLocaleLowerCase();
  return talks
    .rows()
    .filter(
      (row) => nameOf(row).toLocaleLowerCase().includes(wanted) || String(row.uin).includes(wanted),
    )
    .slice(0, MOST_FRIENDS);
}

function friendOption(row, action) {
  return h(
    "li",
    { class: "row", role: "option", onclick: action },
    portrait(row),
    h(
      "span",
      { class: "lines" },
      named(row, { class: "name cut" }),
      h("span", { class: "muted small-text" }, `${statusWords(row.status)} · ${row.uin}`),
    ),
  );
}

function messageOption(talks, message, words, action) {
  const name = talks.name(message.peer);
  const who = message.own ? t("find.you_to", { name }) : name;
  return h(
    "li",
    { class: "row", role: "option", onclick: action },
    h(
      "span",
      { class: "lines" },
      h(
        "span",
        { class: "line" },
        h("bdi", { class: "name cut" }, who),
        h(
          "time",
          { datetime: new Date(message.at).toISOString() },
          `${dayWords(message.at)} ${clock(message.at)}`,
        ),
      ),
      h("bdi", { class: "passage small-text" }, marked(message.text, words)),
    ),
  );
}

/** Return the part of a text where the first word stands, each word marked. */
export function marked(text, words) {
  const wanted = words.toLocaleLowerCase().split(/\s+/u).filter(Boolean);
  const whole = text.toLocaleLowerCase();
  const first = Math.min(...wanted.map((word) => whole.indexOf(word)).filter((at) => at >= 0));
  const start = Number.isFinite(first) ? Math.max(0, first - BEFORE) : 0;
  const part = oneLine(text.slice(start), 160);
  const pattern = wanted.map((word) => word.replace(/[.*+?^${}()|[\]\\]/gu, "\\$&")).join("|");
  const parts = part.split(new RegExp(`(${pattern})`, "giu"));
  return [start > 0 && "…", parts.map((one, at) => (at % 2 ? h("mark", {}, one) : one))];
}
