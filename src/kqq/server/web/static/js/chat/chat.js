// The chat of somebody who is signed in: its panes, the way between them, and the keys.

import { ApiError, api, whoAmI } from "../common/api.js";
import { fill, h } from "../common/dom.js";
import { languages, t } from "../common/words.js";
import { History } from "../kqq/history.js";
import { Messenger } from "../kqq/messenger.js";
import { banner } from "./banner.js";
import { Conversation } from "./conversation.js";
import { forgetDrafts } from "./composer.js";
import { ask, closeAll, frontDialog, openMenu, toast } from "./dialog.js";
import { openFind } from "./find.js";
import { addFriend, answerRequest, whyNot } from "./friends.js";
import { icon } from "./icons.js";
import { Lines } from "./lines.js";
import { CONTROL, openKeys } from "./keys.js";
import { SYSTEM, nameOf } from "./names.js";
import { showCount, tellOfMessages } from "./notices.js";
import { OwnBar } from "./own.js";
import { choose, preference, preferences } from "./preferences.js";
import { Roster } from "./roster.js";
import { wakeSound } from "./sounds.js";
import { Talks } from "./talks.js";

const CHAT = "/api/chat";

/**
 * Open the chat. `signedOut` is called when the browser is signed out, here or elsewhere.
 * @param {any} me what `GET /api/me` says, or what is remembered of it
 * @param {{signedOut: () => any, catalogue: any}} how
 */
export async function openChat(me, { signedOut, catalogue }) {
  const history = await History.open(me.uin);
  const url = `${location.origin.replace(/^http/u, "ws")}${CHAT}`;
  const messenger = new Messenger({ uin: me.uin, url, catalogue, history });
  const chat = new Chat(me, messenger, history, catalogue, signedOut);
  await chat.begin();
  return chat;
}

/** The page of somebody who is signed in. */
class Chat {
  constructor(me, messenger, history, catalogue, signedOut) {
    this.me = me;
    this.messenger = messenger;
    this.history = history;
    this.signedOut = signedOut;
    this.ends = new AbortController();
    this.talks = new Talks(me, messenger, history);
    this.lines = new Lines(messenger);
    this.catalogue = catalogue;
    this.wire = null; // made when it is opened first
    this.handset = null;
    const open = (uin, how) => this.go(uin, how);
    this.open = open;
    this.roster = new Roster(this.talks, open, (request) => this.#answer(request));
    this.conversation = new Conversation(this.talks, this.ends.signal, {
      back: () => this.back(),
      leave: () => this.#leave(),
      profile: (uin) => this.profile(uin),
      find: () => this.find(this.talks.current),
      menu: (anchor) => this.talkMenu(anchor),
    });
    this.banner = banner(messenger);
    this.own = new OwnBar(this.talks, {
      add: () => this.addFriend(),
      wire: () => this.showWire(),
      settings: () => this.settings(),
      isWireOpen: () => Boolean(this.wire?.isOpen),
    });
    this.finding = h("button", {
      type: "button",
      class: "find-button",
      onclick: () => this.find(),
    });
    this.side = h(
      "section",
      { class: "pane side" },
      this.own.element,
      this.finding,
      this.roster.element,
    );
    this.title = h("h1", { class: "visually-hidden" });
    this.panes = h("div", { class: "panes" }, this.side, this.conversation.element);
    const main = h("main", { class: "inside" }, this.title, this.banner, this.panes);
    this.app = h("div", { class: "app" }, main);
    this.element = h("div", { class: "shell" }, this.app);
    tellOfMessages(this.talks, open, this.ends.signal);
    this.#listen();
  }

  /** Show the chat and sign in. */
  async begin() {
    await this.talks.load();
    this.redraw();
    fill(document.querySelector("#page"), this.element);
    await this.#wear();
    if (preference("wire") && innerWidth >= 1100) await this.showWire(true);
    this.#goTo(location.hash, false);
    showCount(this.talks.unread);
    await this.messenger.start();
  }

  /** Stop without signing out, such as when another tab takes over. */
  async end() {
    this.ends.abort();
    closeAll();
    this.handset?.leave();
    await this.messenger.stop();
    this.history.close();
    showCount(0);
  }

  #listen() {
    const { signal } = this.ends;
    const { me, messenger } = this;
    messenger.addEventListener("phase", ({ detail }) => {
      if (detail.phase === "signed_out") this.signedOut();
      if (detail.phase === "online" && !me.csrf) this.#learnMe();
    });
    messenger.addEventListener("notice", ({ detail }) => this.#notice(detail));
    messenger.addEventListener("trouble", () => toast(t("chat.trouble")));
    messenger.addEventListener("request", ({ detail }) => this.#tellOfRequest(detail));
    languages.addEventListener("language", () => this.redraw(), { signal });
    preferences.addEventListener(
      "change",
      ({ detail }) => {
        if (detail.name === "skin") this.#wear();
      },
      { signal },
    );
    globalThis.addEventListener("popstate", () => this.#goTo(location.hash, false), { signal });
    document.addEventListener("keydown", (event) => this.#pressed(event), { signal });
    for (const type of ["pointerdown", "keydown"]) {
      document.addEventListener(type, wakeSound, { once: true, signal });
    }
  }

  /** Draw all, such as in another language. */
  redraw() {
    this.own.redraw();
    fill(
      this.finding,
      icon("search", 18),
      h("span", { class: "spread" }, t("chat.find")),
      h("kbd", {}, `${CONTROL} K`),
    );
    this.title.textContent = t("chat.title");
    this.side.setAttribute("aria-label", t("chat.people"));
    this.banner.redraw();
    this.roster.redraw(true);
    this.conversation.redraw();
    this.wire?.redraw();
    this.handset?.redraw();
  }

  // --- where one is

  /** Open the conversation with somebody. */
  go(uin, how = {}) {
    const isFirst = this.talks.current === null;
    const place = `#${uin}`;
    if (location.hash !== place) {
      // Where one pane is shown at a time the way back leads to the roster, not through them all.
      const change = isFirst ? "pushState" : "replaceState";
      globalThis.history[change](
        { isOurs: isFirst || globalThis.history.state?.isOurs },
        "",
        place,
      );
    }
    return this.#show(uin, how);
  }

  /** Close the conversation. */
  back() {
    if (globalThis.history.state?.isOurs) globalThis.history.back();
    else {
      globalThis.history.replaceState(null, "", location.pathname);
      this.#goTo("");
    }
  }

  /** Have the keys go to the roster; where it is covered, back to it. */
  #leave() {
    if (this.side.offsetParent) this.roster.focus(this.talks.current);
    else this.back();
  }

  #goTo(hash, isFocusing = true) {
    const uin = /^#\d{5,10}$/u.test(hash) ? Number(hash.slice(1)) : null;
    if (uin !== null) return this.#show(uin, { isFocusing });
    const before = this.talks.current;
    this.conversation.close();
    this.app.classList.remove("is-talking");
    this.handset?.redraw();
    if (before !== null || this.handset) this.roster.focus(before);
    return null;
  }

  async #show(uin, { find = null, isFocusing = true } = {}) {
    this.app.classList.add("is-talking");
    await this.conversation.open(uin, { find });
    this.handset?.redraw();
    if (find) this.conversation.log.scroller.focus({ preventScroll: true });
    else if (isFocusing && !frontDialog()) this.focusTalk();
  }

  /** Have the keys go to the conversation; on touch screens that would bring up the keyboard. */
  focusTalk() {
    if (this.handset || matchMedia("(pointer: fine)").matches) this.conversation.focus();
    else this.conversation.log.scroller.focus({ preventScroll: true });
  }

  // --- what one can do

  /** Open what can be done about who is talked to, after `first`. */
  talkMenu(anchor, first = []) {
    const uin = this.talks.current;
    const items = [
      ...first,
      uin !== SYSTEM && {
        label: t("chat.profile"),
        icon: icon("person", 18),
        action: () => this.profile(uin),
      },
      uin !== SYSTEM &&
        !this.messenger.roster.has(uin) && {
          label: t("friends.add"),
          icon: icon("add", 18),
          action: () => this.addFriend(uin),
        },
      {
        label: t("chat.forget_talk"),
        icon: icon("trash", 18),
        action: () => this.#forgetTalk(uin),
      },
    ];
    openMenu(anchor, items.filter(Boolean), t(this.handset ? "phone.options" : "chat.more"));
  }

  async #forgetTalk(uin) {
    const isWanted = await ask({
      title: t("chat.forget_talk"),
      words: t("chat.forget_talk_words", { name: this.talks.name(uin) }),
      yes: t("settings.forget_yes"),
      danger: true,
    });
    if (isWanted) await this.talks.forget(uin);
  }

  addFriend(uin = null) {
    addFriend(this.talks, { uin, open: this.open });
  }

  #answer(request) {
    answerRequest(this.talks, request, this.open);
  }

  async profile(uin) {
    const { openProfile } = await import("./profile.js");
    openProfile(this.talks, uin, this.open);
  }

  find(peer = null) {
    openFind(this.talks, { peer, open: this.open });
  }

  async settings() {
    const { openSettings } = await import("./settings.js");
    openSettings(this.talks, {
      signOut: (how) => this.signOut(how),
      forgetAll: () => this.#forgetAll(),
      keys: () => this.keys(),
    });
  }

  keys() {
    openKeys();
  }

  /** Open or close the wire drawer. */
  async showWire(isOpen = !this.wire?.isOpen) {
    if (!this.wire) {
      const { Wire } = await import("./wire.js");
      this.wire ??= new Wire(this.lines, this.catalogue, () => this.showWire(false));
      this.element.append(this.wire.element);
    }
    this.wire.show(isOpen);
    this.element.classList.toggle("has-wire", isOpen);
    choose("wire", isOpen);
    this.own.redraw();
    if (isOpen) return;
    if (this.handset) this.handset.focus();
    else this.own.focus("wire");
  }

  async signOut({ forget = false } = {}) {
    try {
      await this.messenger.stop();
      await api.post("/api/sign-out");
    } catch (error) {
      await this.messenger.start();
      toast(whyNot(error));
      return;
    }
    forgetDrafts();
    if (forget) await this.history.forget();
    this.signedOut();
  }

  /** The page was opened without the server: now it says who is signed in. */
  async #learnMe() {
    try {
      Object.assign(this.me, await whoAmI());
      this.own.redraw();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // the next connection tries again
    }
  }

  async #forgetAll() {
    await this.messenger.stop();
    await this.history.forget();
    forgetDrafts();
    location.reload();
  }

  /** Say that somebody asks to be a friend, above the page if the roster cannot be seen. */
  #tellOfRequest(request) {
    const words = t("friends.wants", { name: nameOf(request) });
    this.conversation.tell(words);
    if (this.side.offsetParent) return;
    toast(words, { label: t("chat.answer"), action: () => this.#answer(request) });
  }

  #notice({ uin, text, kind }) {
    const name = this.talks.name(uin);
    const words = t(`friends.told_${kind}`, { name });
    const offer =
      kind === "accepted" ? { label: t("friends.write"), action: () => this.go(uin) } : null;
    toast(text && kind === "refused" ? `${words} ${text.slice(0, 200)}` : words, offer);
  }

  // --- the skin

  async #wear() {
    const isHandset = preference("skin") === "handset";
    if (isHandset === Boolean(this.handset)) return;
    closeAll();
    if (isHandset) {
      const { Handset } = await import("./handset.js");
      this.handset = new Handset(this);
      this.element.prepend(this.handset.element);
    } else {
      this.handset.leave();
      this.handset = null;
      this.element.prepend(this.app);
    }
    this.redraw();
    this.handset?.focus();
  }

  // --- keys

  #pressed(event) {
    if (event.isComposing || event.keyCode === 229) return;
    if (this.handset?.pressed(event)) return;
    if (frontDialog()) return;
    const { key, altKey, ctrlKey, metaKey } = event;
    const isWriting = event.target.matches?.("input, textarea, select");
    let action = null;
    if ((ctrlKey || metaKey) && key.toLowerCase() === "k") action = () => this.find();
    else if (key === "/" && !isWriting) action = () => this.find();
    else if (key === "F1" || (key === "?" && !isWriting)) action = () => this.keys();
    else if (key === "F2") action = () => this.showWire();
    else if (altKey && key === "ArrowDown") action = () => this.#beside(1);
    else if (altKey && key === "ArrowUp") action = () => this.#beside(-1);
    else if (key === "Escape" && this.talks.current !== null && !event.target.closest(".wire")) {
      action = () => this.#leave();
    }
    if (!action) return;
    event.preventDefault();
    action();
  }

  #beside(step) {
    const uin = this.roster.beside(this.talks.current, step);
    if (uin !== null) this.go(uin);
  }
}
