// Who there is and what was said last with each: what the roster shows, and who is talked to now.

import { SYSTEM, nameOf } from "./names.js";

/** Those who can be talked to come before those who cannot. */
const ORDER = ["online", "call_me", "away", "busy", "do_not_disturb", "hidden", "offline"];

/**
 * A row of the roster.
 * @typedef {object} Row
 * @property {number} uin
 * @property {string} nick
 * @property {number} face
 * @property {string} status
 * @property {boolean} isFriend
 * @property {import("../kqq/history.js").Message|null} last
 * @property {number} unread
 */

/** Tells "rows" when the roster shows something else, "message" and "changed" of messages. */
export class Talks extends EventTarget {
  /**
   * @param {any} me what `GET /api/me` says
   * @param {import("../kqq/messenger.js").Messenger} messenger
   * @param {import("../kqq/history.js").History} history
   */
  constructor(me, messenger, history) {
    super();
    this.me = me;
    this.messenger = messenger;
    this.history = history;
    /** @type {number|null} who is talked to */
    this.current = null;
    /** @type {Map<number, {last: any, unread: number}>} */
    this.said = new Map();
    /** Strangers whose profile was seen. @type {Map<number, any>} */
    this.met = new Map();
    messenger.addEventListener("message", ({ detail }) => this.#take(detail.message));
    messenger.addEventListener("changed", ({ detail }) => this.#change(detail.message));
    for (const type of ["roster", "presence", "request", "phase"]) {
      messenger.addEventListener(type, () => this.tell("rows"));
    }
  }

  /** Read what the history has. */
  async load() {
    for (const { peer, last, unread } of await this.history.conversations()) {
      this.said.set(peer, { last, unread });
    }
    this.tell("rows");
  }

  /** Return what is known of somebody. */
  person(uin) {
    if (uin === this.me.uin) return { ...this.me, status: this.messenger.status };
    const known = this.messenger.roster.get(uin) ?? this.met.get(uin);
    return { nick: "", face: 0, status: "offline", ...known, uin };
  }

  /** Return how somebody is called. */
  name(uin) {
    return nameOf(this.person(uin));
  }

  /** Note how somebody is called who is no friend. */
  meet(person) {
    if (this.messenger.roster.has(person.uin)) return;
    this.met.set(person.uin, { uin: person.uin, nick: person.nick, face: person.face });
    this.tell("rows");
  }

  /**
   * Return all rows: conversations by what was said last, then friends who are there, then others.
   * @returns {Row[]}
   */
  rows() {
    const numbers = new Set([...this.said.keys(), ...this.messenger.roster.keys()]);
    if (this.current !== null) numbers.add(this.current);
    return [...numbers].map((uin) => this.row(uin)).sort(inOrder);
  }

  /** @returns {Row} */
  row(uin) {
    const { last = null, unread = 0 } = this.said.get(uin) ?? {};
    return { ...this.person(uin), isFriend: this.messenger.roster.has(uin), last, unread };
  }

  /** How many messages were not seen, in all conversations. */
  get unread() {
    let sum = 0;
    for (const { unread } of this.said.values()) sum += unread;
    return sum;
  }

  /** Whether what comes in the conversation that is open is seen. */
  get isSeen() {
    return document.visibilityState === "visible" && document.hasFocus();
  }

  /** Note that all was seen in a conversation. */
  async read(uin) {
    const talk = this.said.get(uin);
    if (!talk?.unread) return;
    talk.unread = 0;
    this.tell("rows");
    await this.history.markRead(uin);
  }

  /** Begin to talk to somebody, or to nobody (null). */
  open(uin) {
    this.current = uin;
    this.tell("rows");
  }

  /** Forget what was said with somebody. */
  async forget(uin) {
    await this.history.forget(uin);
    this.said.delete(uin);
    this.tell("rows");
    this.tell("forgotten", { uin });
  }

  tell(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #take(message) {
    const talk = this.said.get(message.peer) ?? { last: null, unread: 0 };
    const isSeen = message.own || (message.peer === this.current && this.isSeen);
    const unread = isSeen ? talk.unread : talk.unread + 1;
    this.said.set(message.peer, { last: message, unread });
    if (isSeen && !message.own) this.history.markRead(message.peer);
    if (message.peer !== SYSTEM && !this.messenger.roster.has(message.peer)) {
      this.#ask(message.peer);
    }
    this.tell("message", { message, isSeen });
    this.tell("rows");
  }

  #change(message) {
    const talk = this.said.get(message.peer);
    if (talk?.last?.id === message.id) {
      if (message.state === "discarded") this.#lookAgain(message.peer);
      else talk.last = message;
    }
    this.tell("changed", { message });
    this.tell("rows");
  }

  async #lookAgain(peer) {
    const [last] = await this.history.page(peer, { most: 1 });
    const talk = this.said.get(peer);
    if (last && talk) talk.last = last;
    else this.said.delete(peer);
    this.tell("rows");
  }

  /** Ask how a stranger is called. */
  async #ask(uin) {
    if (this.met.has(uin)) return;
    this.met.set(uin, { uin, nick: "", face: 0 });
    try {
      this.meet(await this.messenger.info(uin));
    } catch {
      this.met.delete(uin); // the number must do, until they write again
    }
  }
}

function inOrder(one, other) {
  if (one.last || other.last) return (other.last?.at ?? 0) - (one.last?.at ?? 0);
  const place = ORDER.indexOf(one.status) - ORDER.indexOf(other.status);
  return place || nameOf(one).localeCompare(nameOf(other)) || one.uin - other.uin;
}
