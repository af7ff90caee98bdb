// The roster: everybody one can talk to, and what was said last with each.

import { fill, h } from "../common/dom.js";
import { face } from "../common/face.js";
import { clock } from "../common/time.js";
import { t } from "../common/words.js";
import { icon } from "./icons.js";
import { dayWords } from "./log.js";
import { SYSTEM, named, oneLine } from "./names.js";

/** How somebody looks: face and presence. */
export function portrait({ uin, face: number, nick, status }) {
  const drawing =
    uin === SYSTEM ? h("span", { class: "face bell" }, icon("bell", 22)) : face(number, nick);
  const dot = h("span", { class: `presence ${status}`, "aria-hidden": "true" });
  return h("span", { class: "portrait" }, drawing, uin === SYSTEM ? null : dot);
}

/** What somebody's status is called. */
export function statusWords(status) {
  return t(`chat.status_${status}`);
}

/** The list, one stop of the Tab key: arrows move within it. */
export class Roster {
  /**
   * @param {import("./talks.js").Talks} talks
   * @param {(uin: number) => any} open
   * @param {(request: any) => any} answer
   */
  constructor(talks, open, answer) {
    this.talks = talks;
    this.openTalk = open;
    this.answer = answer;
    this.items = new Map();
    this.isDue = false;
    this.focused = null; // whose row the Tab key comes to
    this.requests = h("ul", { class: "list requests" });
    this.list = h("ul", { class: "list" });
    this.empty = h("div", { class: "empty", hidden: true });
    this.nav = h("nav", { onkeydown: (event) => this.#pressed(event) }, this.list);
    this.element = h("div", { class: "roster-box" }, this.requests, this.nav, this.empty);
    talks.addEventListener("rows", () => this.redrawSoon());
    this.redraw();
  }

  /** Draw what has changed, once, before the next picture. */
  redrawSoon() {
    if (this.isDue) return;
    this.isDue = true;
    queueMicrotask(() => {
      this.isDue = false;
      this.redraw();
    });
  }

  /** Draw what has changed; with `isAll` all, such as in another language. */
  redraw(isAll = false) {
    if (isAll) for (const item of this.items.values()) item.dataset.drawn = "";
    this.nav.setAttribute("aria-label", t("chat.conversations"));
    this.#drawRequests();
    const rows = this.talks.rows();
    const had = this.nav.contains(document.activeElement) ? this.focused : null;
    const there = new Set(rows.map(({ uin }) => uin));
    for (const [uin, item] of this.items) {
      if (there.has(uin)) continue;
      item.remove();
      this.items.delete(uin);
    }
    rows.forEach((row, place) => {
      const item = this.#item(row);
      if (this.list.children[place] !== item) {
        this.list.insertBefore(item, this.list.children[place] ?? null);
      }
    });
    if (!there.has(this.focused)) this.focused = this.talks.current ?? rows[0]?.uin ?? null;
    for (const [uin, item] of this.items) item.firstChild.tabIndex = uin === this.focused ? 0 : -1;
    if (had !== null) this.#link(this.focused)?.focus({ preventScroll: true });
    this.#drawEmpty(rows.length === 0);
  }

  /** Have the keys go to the list. */
  focus(uin = null) {
    if (uin !== null && this.items.has(uin)) this.focused = uin;
    const link = this.#link(this.focused);
    for (const item of this.items.values())
      item.firstChild.tabIndex = item.firstChild === link ? 0 : -1;
    link?.focus();
    return Boolean(link);
  }

  /** Return who stands `step` rows below somebody, going round at the ends. */
  beside(uin, step) {
    const all = this.talks.rows().map((row) => row.uin);
    const place = all.indexOf(uin);
    if (!all.length) return null;
    return all.at(place < 0 ? 0 : (place + step) % all.length);
  }

  #link(uin) {
    return this.items.get(uin)?.firstChild ?? null;
  }

  #pressed(event) {
    const all = [...this.list.children].map((item) => item.firstChild);
    const place = all.indexOf(document.activeElement);
    if (place < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const next = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: all.length - 1 }[
      event.key
    ];
    if (next === undefined) return;
    event.preventDefault();
    const link = all[Math.min(Math.max(next, 0), all.length - 1)];
    this.focus(Number(link.dataset.uin));
  }

  #item(row) {
    const item = this.items.get(row.uin) ?? h("li");
    this.items.set(row.uin, item);
    const isCurrent = row.uin === this.talks.current;
    const { last } = row;
    const drawn = JSON.stringify([
      row.nick,
      row.face,
      row.status,
      row.unread,
      isCurrent,
      row.isFriend,
      last?.id,
      last?.state,
      last && dayWords(last.at),
    ]);
    if (item.dataset.drawn === drawn) return item;
    item.dataset.drawn = drawn;
    let link = item.firstChild;
    if (!link) {
      link = h("a", {
        class: "row talk",
        href: `#${row.uin}`,
        "data-uin": row.uin,
        tabindex: "-1",
        onfocus: () => (this.focused = row.uin),
        onclick: (event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return;
          event.preventDefault();
          this.openTalk(row.uin);
        },
      });
      item.append(link);
    }
    if (isCurrent) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
    link.classList.toggle("unread", row.unread > 0);
    link.classList.toggle("is-away", row.status === "offline");
    fill(link, portrait(row), this.#lines(row));
    return item;
  }

  #lines(row) {
    const { last, unread } = row;
    return h(
      "span",
      { class: "lines" },
      h(
        "span",
        { class: "line" },
        named(row, { class: "name cut" }),
        row.uin !== SYSTEM && h("span", { class: "visually-hidden" }, statusWords(row.status)),
        last && h("time", { datetime: new Date(last.at).toISOString() }, when(last.at)),
      ),
      h(
        "span",
        { class: "line" },
        h("span", { class: "preview cut" }, last ? preview(last) : statusWords(row.status)),
        unread > 0 && badge(unread),
      ),
    );
  }

  #drawRequests() {
    const { requests } = this.talks.messenger;
    fill(
      this.requests,
      requests.map((request) =>
        h(
          "li",
          {},
          h(
            "button",
            { type: "button", class: "row request", onclick: () => this.answer(request) },
            portrait({ face: 0, status: "offline", ...request }),
            h(
              "span",
              { class: "lines" },
              named(request, { class: "name cut" }),
              h("span", { class: "preview" }, t("chat.wants_to_be_friend")),
            ),
            h("span", { class: "button small primary", "aria-hidden": "true" }, t("chat.answer")),
          ),
        ),
      ),
    );
  }

  #drawEmpty(isEmpty) {
    this.empty.hidden = !isEmpty;
    if (!isEmpty) return;
    fill(
      this.empty,
      h("p", {}, t("chat.nobody")),
      h("p", { class: "muted" }, t("chat.your_number", { uin: this.talks.me.uin })),
    );
  }
}

/** How many were not seen, also for who hears the page. */
function badge(unread) {
  const hidden = h("span", { class: "visually-hidden" }, ` ${t("chat.unread")}`);
  return h("span", { class: "badge" }, unread > 99 ? "99+" : unread, hidden);
}

function preview(message) {
  const line = h("bdi", {}, oneLine(message.text, 120));
  if (!message.own) return line;
  const isTrouble = message.state === "unknown" || message.state === "refused";
  const mark = { waiting: "clock", unknown: "warn", refused: "warn" }[message.state];
  return [
    mark && h("span", { class: isTrouble ? "wrong" : "" }, icon(mark, 13), " "),
    `${t("chat.you")}: `,
    line,
  ];
}

function when(at) {
  const words = dayWords(at);
  return words === t("chat.today") ? clock(at) : words;
}
