// A conversation: with whom, what was said, and where one writes.

import { fill, h } from "../common/dom.js";
import { t } from "../common/words.js";
import { Composer } from "./composer.js";
import { iconButton, toast } from "./dialog.js";
import { icon } from "./icons.js";
import { CONTROL } from "./keys.js";
import { Log } from "./log.js";
import { SYSTEM, named } from "./names.js";
import { portrait, statusWords } from "./roster.js";

/** The pane of the conversation that is open. */
export class Conversation {
  /**
   * @param {import("./talks.js").Talks} talks
   * @param {AbortSignal} signal of the end of the page
   * @param {{back: () => any, profile: (uin: number) => any, find: () => any,
   *   leave: () => any, menu: (anchor: HTMLElement) => any}} does
   */
  constructor(talks, signal, does) {
    this.talks = talks;
    this.does = does;
    const { messenger } = talks;
    this.log = new Log(talks, {
      resend: (id) => messenger.resend(id),
      discard: (id) => messenger.discard(id),
    });
    this.composer = new Composer({
      send: (text) => this.#send(text),
      leave: does.leave,
      scroll: (direction) => this.log.page(direction),
    });
    this.head = h("header", { class: "bar" });
    this.silence = h("p", { class: "silence muted small-text", hidden: true });
    this.nobody = h("div", { class: "nobody" });
    this.heard = h("div", { class: "visually-hidden", role: "log", "aria-live": "polite" });
    this.talk = h(
      "div",
      { class: "talk-box", hidden: true },
      this.head,
      this.log.element,
      this.silence,
      this.composer.element,
    );
    this.element = h("section", { class: "pane conversation" }, this.talk, this.nobody, this.heard);
    talks.addEventListener("message", ({ detail }) => this.#take(detail.message));
    talks.addEventListener("changed", ({ detail }) => this.log.change(detail.message));
    talks.addEventListener("forgotten", ({ detail }) => {
      if (detail.uin === this.log.peer) this.log.open(detail.uin);
    });
    talks.addEventListener("rows", () => this.#drawHead());
    this.log.scroller.addEventListener("scroll", () => this.see(), { passive: true });
    globalThis.addEventListener("focus", () => this.see(), { signal });
    document.addEventListener("visibilitychange", () => this.see(), { signal });
    this.redraw();
  }

  /** Show the conversation with somebody; with `find` that message of it. */
  async open(uin, { find = null } = {}) {
    const { unread } = this.talks.row(uin);
    this.talks.open(uin);
    this.talk.hidden = false;
    this.nobody.hidden = true;
    this.composer.open(uin);
    const isSystem = uin === SYSTEM;
    this.composer.element.hidden = isSystem;
    this.#drawHead(true);
    await this.log.open(uin, { unread, find });
    this.#drawHead(true);
    this.see();
  }

  /** Show no conversation. */
  close() {
    this.talks.open(null);
    this.talk.hidden = true;
    this.nobody.hidden = false;
    this.log.close();
  }

  /** Have the keys go to the field. */
  focus() {
    if (this.composer.element.hidden) this.log.scroller.focus();
    else this.composer.field.focus();
  }

  /** Note what is in view as seen. */
  see() {
    const { current } = this.talks;
    if (current !== null && this.log.peer === current && this.talks.isSeen)
      this.talks.read(current);
  }

  /** Draw all, such as in another language. */
  redraw() {
    this.#drawNobody();
    this.composer.redraw();
    this.#drawHead(true);
    if (this.log.peer !== null) {
      this.log.redraw();
      this.log.goToEnd(true);
    }
  }

  #send(text) {
    try {
      this.talks.messenger.send(this.talks.current, text);
      return true;
    } catch (error) {
      toast(t(error.code === "too_long" ? "chat.too_long" : "chat.failed"));
      if (error.code !== "too_long") throw error;
      return false;
    }
  }

  #take(message) {
    this.log.add(message);
    if (message.own) return;
    const name = this.talks.name(message.peer);
    const words = message.text.slice(0, 500);
    const said = message.peer === this.talks.current ? words : t("chat.wrote", { name });
    this.tell(`${name}: ${said}`);
  }

  /** Say something to who hears the page. */
  tell(words) {
    this.heard.append(h("p", {}, words));
    while (this.heard.childElementCount > 5) this.heard.firstChild.remove();
  }

  /** Draw the head if what it says has changed. */
  #drawHead(isAll = false) {
    const uin = this.talks.current;
    if (uin === null) {
      this.element.setAttribute("aria-label", t("chat.conversation"));
      return;
    }
    const row = this.talks.row(uin);
    const others = this.talks.unread - row.unread;
    const drawn = JSON.stringify([uin, row.nick, row.face, row.status, row.isFriend, others]);
    if (!isAll && this.head.dataset.drawn === drawn) return;
    this.head.dataset.drawn = drawn;
    const focused = this.head.contains(document.activeElement)
      ? document.activeElement.dataset.part
      : null;
    const name = this.talks.name(uin);
    this.element.setAttribute("aria-label", t("chat.conversation_with", { name }));
    this.#drawSilence(row);
    if (this.log.peer === uin) this.log.rename();
    const { does } = this;
    const back = iconButton("back", t("chat.back"), does.back, {
      class: "button icon back",
      "data-part": "back",
    });
    if (others) back.append(h("span", { class: "badge" }, others > 99 ? "99+" : others));
    fill(
      this.head,
      back,
      h(
        uin === SYSTEM ? "div" : "button",
        uin === SYSTEM
          ? { class: "who" }
          : {
              type: "button",
              class: "who",
              title: t("chat.profile"),
              "data-part": "who",
              onclick: () => does.profile(uin),
            },
        portrait(row),
        h(
          "span",
          { class: "lines" },
          h("h2", { class: "name cut" }, named(row)),
          h("span", { class: "muted small-text cut" }, this.#about(row)),
        ),
      ),
      iconButton("search", t("chat.find_here"), does.find, { "data-part": "find" }),
      iconButton("more", t("chat.more"), (event) => does.menu(event.currentTarget), {
        "aria-haspopup": "menu",
        "data-part": "more",
      }),
    );
    if (focused) this.head.querySelector(`[data-part="${focused}"]`)?.focus();
  }

  #about(row) {
    if (row.uin === SYSTEM) return t("chat.system_about");
    const status = row.isFriend ? statusWords(row.status) : t("chat.no_friend");
    return `${status} · ${row.uin}`;
  }

  #drawSilence(row) {
    const words = row.uin === SYSTEM ? t("chat.system_silence") : "";
    this.silence.hidden = !words;
    this.silence.textContent = words;
  }

  #drawNobody() {
    const key = (name, words) => [h("dt", {}, h("kbd", {}, name)), h("dd", {}, words)];
    fill(
      this.nobody,
      h("div", { class: "drawing-box" }, icon("phone", 72)),
      h("h2", {}, t("chat.choose")),
      h("p", { class: "muted" }, t("chat.choose_words")),
      h(
        "dl",
        { class: "keys small-text" },
        key(`${CONTROL} K`, t("chat.key_find")),
        key("Alt ↑ ↓", t("chat.key_beside")),
        key("F2", t("chat.key_wire")),
        key("F1", t("chat.key_keys")),
      ),
    );
  }
}
