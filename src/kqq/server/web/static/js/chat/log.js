// What was said with somebody: the newest below, older messages as one scrolls up.

import { fill, h } from "../common/dom.js";
import { day } from "../common/time.js";
import { t } from "../common/words.js";
import { icon } from "./icons.js";
import { messageElement } from "./message.js";

const PAGE = 50;
/** Messages that are read at once to get to one far up. */
const LEAP = 400;
/** Pixels from the top where older messages are fetched, and from the end that count as there. */
const NEAR_TOP = 600;
const NEAR_END = 60;
const SAME_BREATH = 5 * 60_000;

/** The messages of one conversation, and where one is in them. */
export class Log {
  /**
   * @param {import("./talks.js").Talks} talks
   * @param {{resend: (id: string) => any, discard: (id: string) => any}} does
   */
  constructor(talks, does) {
    this.talks = talks;
    this.does = does;
    this.peer = null;
    /** @type {import("../kqq/history.js").Message[]} */
    this.messages = [];
    this.items = new Map();
    this.hasMore = false;
    this.isLoading = false;
    this.turn = 0;
    this.missed = 0;
    this.divider = null; // the first message that was new when this was opened
    this.top = h("li", { class: "log-top muted small-text" });
    this.list = h("ol", { class: "log-list" }, this.top);
    this.scroller = h("div", { class: "log", tabindex: "0", role: "region" }, this.list);
    this.toEnd = h(
      "button",
      { type: "button", class: "button icon to-end", hidden: true, onclick: () => this.goToEnd() },
      icon("down"),
    );
    this.element = h("div", { class: "log-box" }, this.scroller, this.toEnd);
    this.scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.wasAtEnd = true;
    // The keyboard of a phone comes up, the composer grows: the end stays in view.
    new ResizeObserver(() => this.wasAtEnd && this.goToEnd(true)).observe(this.scroller);
  }

  /**
   * Show the conversation with `peer`; `unread` of the newest are marked as new. With `find` that
   * message is in the middle.
   * @param {number} peer
   * @param {{unread?: number, find?: string|null}} [how]
   */
  async open(peer, { unread = 0, find = null } = {}) {
    const turn = (this.turn += 1);
    const most = Math.max(PAGE, Math.min(unread + 10, LEAP));
    let found = await this.talks.history.page(peer, { most });
    let hasMore = found.length === most;
    while (find && hasMore && !found.some(({ id }) => id === find)) {
      const older = await this.talks.history.page(peer, { before: found[0].id, most: LEAP });
      hasMore = older.length === LEAP;
      found = [...older, ...found];
    }
    if (turn !== this.turn) return; // another conversation was opened meanwhile
    this.peer = peer;
    this.messages = found;
    this.hasMore = hasMore;
    this.isLoading = false;
    this.divider = firstNew(found, unread);
    this.redraw();
    this.rename();
    if (find) this.show(find);
    else if (this.divider) this.#showDivider();
    else this.goToEnd(true);
    this.#scrolled();
  }

  /** Show nothing. */
  close() {
    this.turn += 1;
    this.peer = null;
    this.messages = [];
    this.redraw();
  }

  /** Draw all again, such as in another language. */
  redraw() {
    this.items.clear();
    this.missed = 0;
    this.#drawTop();
    fill(this.list, this.top);
    for (const message of this.messages) this.list.append(this.#item(message));
    this.messages.forEach((_, place) => this.#place(place));
    this.#drawToEnd();
  }

  /** Say how somebody is called, once that is known. */
  rename() {
    const name = this.talks.name(this.peer);
    this.scroller.setAttribute("aria-label", t("chat.log", { name }));
    for (const said of this.list.querySelectorAll(".message:not(.own) .sender")) {
      said.textContent = `${name}: `;
    }
  }

  /** Add a message that came or was written. */
  add(message) {
    if (message.peer !== this.peer || this.items.has(message.id)) return;
    const isFollowing = message.own || this.wasAtEnd;
    this.messages.push(message);
    this.list.append(this.#item(message));
    this.#place(this.messages.length - 1);
    this.#drawTop();
    if (isFollowing) this.goToEnd(true);
    else this.missed += 1;
    this.#drawToEnd();
  }

  /** Show what became of a message. */
  change(message) {
    const place = this.messages.findIndex(({ id }) => id === message.id);
    if (message.peer !== this.peer || place < 0) return;
    const old = this.items.get(message.id);
    const hadFocus = old.contains(document.activeElement);
    if (message.state === "discarded") {
      this.messages.splice(place, 1);
      this.items.delete(message.id);
      this.#dayBefore(old)?.remove();
      old.remove();
      if (place < this.messages.length) this.#place(place);
      this.#drawTop();
    } else {
      this.messages[place] = message;
      old.replaceWith(this.#item(message));
      this.#place(place);
    }
    if (hadFocus) this.scroller.focus({ preventScroll: true });
    if (this.wasAtEnd) this.goToEnd(true);
  }

  /** Go to the newest message. */
  goToEnd(isAtOnce = false) {
    const behavior = isAtOnce ? "instant" : "smooth";
    this.scroller.scrollTo({ top: this.scroller.scrollHeight, behavior });
    if (isAtOnce) this.wasAtEnd = true;
  }

  /** Have a message in the middle, and stand out for a moment. */
  show(id) {
    const item = this.items.get(id);
    if (!item) return;
    this.wasAtEnd = false;
    item.scrollIntoView({ block: "center", behavior: "instant" });
    item.classList.add("found");
    setTimeout(() => item.classList.remove("found"), 2500);
  }

  /** Move by a part of what is in view. */
  page(direction) {
    this.scroller.scrollBy({ top: direction * this.scroller.clientHeight * 0.85 });
  }

  /** Older messages, in front of what is in view, which stays where it is. */
  async older() {
    if (!this.hasMore || this.isLoading) return;
    this.isLoading = true;
    this.#drawTop();
    const { turn } = this;
    const before = this.messages[0]?.id ?? null;
    const found = await this.talks.history.page(this.peer, { before, most: PAGE });
    if (turn !== this.turn) return;
    this.isLoading = false;
    this.hasMore = found.length === PAGE;
    const kept = this.#inView();
    const wasAt = kept?.getBoundingClientRect().top;
    const first = this.top.nextSibling;
    this.messages.unshift(...found);
    for (const message of found) this.list.insertBefore(this.#item(message), first);
    for (let place = found.length; place >= 0; place -= 1) {
      if (place < this.messages.length) this.#place(place);
    }
    this.#drawTop();
    if (kept) this.scroller.scrollTop += kept.getBoundingClientRect().top - wasAt;
  }

  /** The first message that can be seen. */
  #inView() {
    const { top } = this.scroller.getBoundingClientRect();
    const items = this.messages.map(({ id }) => this.items.get(id));
    return items.find((item) => item.getBoundingClientRect().bottom > top);
  }

  #item(message) {
    const sender = message.own ? t("chat.you") : this.talks.name(message.peer);
    const item = messageElement(message, sender, this.does);
    this.items.set(message.id, item);
    return item;
  }

  /** Put a day above a message that is the first of it, and join what was said in one breath. */
  #place(place) {
    const message = this.messages[place];
    const before = this.messages[place - 1];
    const item = this.items.get(message.id);
    const isNewDay = !before || dayOf(before.at) !== dayOf(message.at);
    const isNew = this.divider === message.id;
    this.#dayBefore(item)?.remove();
    if (isNewDay) item.before(h("li", { class: "day" }, h("span", {}, dayWords(message.at))));
    const goesOn = before && before.own === message.own && message.at - before.at < SAME_BREATH;
    item.classList.toggle("goes-on", Boolean(goesOn) && !isNewDay && !isNew);
    item.classList.toggle("first-new", isNew);
    if (isNew) item.dataset.new = t("chat.new_messages");
  }

  #dayBefore(item) {
    const before = item.previousElementSibling;
    return before?.classList.contains("day") ? before : null;
  }

  #drawTop() {
    if (this.isLoading) fill(this.top, t("chat.loading"));
    else if (this.peer === null || this.hasMore) fill(this.top);
    else fill(this.top, t(this.messages.length ? "chat.beginning" : "chat.nothing_said"));
  }

  #drawToEnd() {
    this.toEnd.hidden = this.wasAtEnd;
    const name = this.missed ? t("chat.to_end_new", { count: this.missed }) : t("chat.to_end");
    this.toEnd.setAttribute("aria-label", name);
    this.toEnd.title = name;
    fill(this.toEnd, icon("down"), this.missed ? h("span", { class: "badge" }, this.missed) : null);
  }

  #showDivider() {
    const item = this.items.get(this.divider);
    item.scrollIntoView({ block: "center", behavior: "instant" });
    this.wasAtEnd = false;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.wasAtEnd = scrollHeight - clientHeight - scrollTop < NEAR_END;
    if (this.wasAtEnd) this.missed = 0;
    this.#drawToEnd();
    if (scrollTop < NEAR_TOP && this.peer !== null) this.older();
  }
}

function firstNew(messages, unread) {
  const theirs = messages.filter(({ own }) => !own);
  return unread ? ((theirs.at(-unread) ?? theirs[0])?.id ?? null) : null;
}

function dayOf(at) {
  return new Date(at).toDateString();
}

/** A day as people call it. */
export function dayWords(at, now = Date.now()) {
  if (dayOf(at) === dayOf(now)) return t("chat.today");
  if (dayOf(at) === dayOf(now - 86_400_000)) return t("chat.yesterday");
  return day(at, now);
}
