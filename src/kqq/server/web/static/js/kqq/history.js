// @ts-check
// What was said, kept in the browser: one database for each number.
//
// A message is here before it is said to the server, and before the server is told that it came.

import {
  digest,
  folded,
  isMark,
  lastPlace,
  makeStores,
  messageOf,
  put,
  talkRange,
  VERSION,
} from "./shelves.js";
import { each, given, openDatabase, within } from "./stored.js";

/** Milliseconds in which a push with the same number and text is the same one; after that the
 * server may have begun to count anew. */
const WEEK = 7 * 86_400_000;
const PIECE = 500;
const TALK = ["messages", "talks"];
const INCOMING = [...TALK, "marks", "requests"];

/**
 * Words between oneself and `peer`. `state` is "waiting" (to be said, or not answered yet), "sent"
 * (the server has it), "refused", "unknown" (it may have arrived, and it is too late to ask) for
 * one's own, else "received"; `number` is the SEQ of its line. `kind` is "system" for words of the
 * server itself. `at` is milliseconds since 1970. `why` says why it was refused.
 * @typedef {object} Message
 * @property {string} id
 * @property {number} peer
 * @property {boolean} own
 * @property {string} text
 * @property {number} at
 * @property {"waiting" | "sent" | "unknown" | "refused" | "received"} state
 * @property {string} number
 * @property {"message" | "system"} kind
 * @property {boolean} read
 * @property {string} [why]
 */

/**
 * A message that waits to be sent: `line` is what is said, `said` when it was first, or null.
 * @typedef {{message: Message, line: string, said: number | null}} Waiting
 */

/**
 * Somebody who wants to be a friend.
 * @typedef {{uin: number, nick: string, words: string, at: number}} FriendRequest
 */

/**
 * Something the server pushed: its sender, number and text, and the message or friend request that
 * it is, if it is one.
 * @typedef {{sender: number, number: string, text: string, message?: Message,
 *   request?: FriendRequest}} Arrival
 */

export class History {
  #database;
  #now;

  /**
   * Open what this browser has of a number; it is made if there is nothing. Raises a DOMException
   * where the browser lets nothing be kept.
   * @param {number} uin
   * @param {{indexedDB?: IDBFactory, now?: () => number}} [how]
   * @returns {Promise<History>}
   */
  static async open(uin, { indexedDB = globalThis.indexedDB, now = Date.now } = {}) {
    const name = `kqq-${uin}`;
    const database = await openDatabase(indexedDB, name, VERSION, makeStores);
    return new History(uin, database, indexedDB, now);
  }

  /** Use `History.open`. */
  constructor(uin, database, factory, now) {
    this.uin = uin;
    this.#database = database;
    this.#now = now;
    this.factory = factory;
  }

  /** Let go of the database. */
  close() {
    this.#database.close();
  }

  // --- messages

  /**
   * Keep a message at the end of its conversation. One's own with a `line` waits in the outbox.
   * @param {Message} message
   * @param {{line?: string}} [how]
   * @returns {Promise<void>}
   */
  async add(message, { line } = {}) {
    const extra = line === undefined ? {} : { line, said: null, waits: 1 };
    await this.#write(TALK, (messages, talks) => put(messages, talks, message, extra), true);
  }

  /**
   * Keep what was pushed, on disk when this returns, and return what of it is new: what came before
   * with the same sender, number and text is the same.
   * @param {Arrival[]} arrivals
   * @returns {Promise<Arrival[]>}
   */
  async receive(arrivals) {
    const now = this.#now();
    return this.#write(
      INCOMING,
      async (messages, talks, marks, requests) => {
        const news = [];
        for (const arrival of arrivals) {
          if (await this.#isKnown(marks, arrival, now)) continue;
          const { sender, number, text, message, request } = arrival;
          if (isMark(number)) marks.put({ sender, number, text: digest(text), at: now });
          if (message) await put(messages, talks, message, {});
          if (request) requests.put(request);
          news.push(arrival);
        }
        const old = IDBKeyRange.upperBound(now - WEEK, true);
        await each(marks.index("at").openCursor(old), (cursor) => void cursor.delete());
        return news;
      },
      true,
    );
  }

  /**
   * Whether a push with this sender, number and text came before, not longer than a week ago.
   * @param {number} sender
   * @param {string} number
   * @param {string} text
   * @returns {Promise<boolean>}
   */
  async remembers(sender, number, text) {
    const now = this.#now();
    return this.#read(["marks"], (marks) => this.#isKnown(marks, { sender, number, text }, now));
  }

  /**
   * Change a message and return it as it is then; null if it is not here, or not in the state
   * `only`. `said` and `line` of the outbox can be changed, too.
   * @param {string} id
   * @param {Partial<Message> & {said?: number | null, line?: string}} changes
   * @param {{only?: string}} [how]
   * @returns {Promise<Message | null>}
   */
  async update(id, changes, { only } = {}) {
    return this.#write(TALK, async (messages, talks) => {
      const record = await given(messages.index("id").get(id));
      if (!record || (only && record.state !== only)) return null;
      const changed = { ...record, ...changes };
      if (changed.state === "waiting") changed.waits = 1;
      else for (const key of ["waits", "line", "said"]) delete changed[key];
      messages.put(changed);
      const talk = await given(talks.get(record.peer));
      if (talk?.last.id === id) talks.put({ ...talk, last: messageOf(changed) });
      return messageOf(changed);
    });
  }

  /**
   * Take a message away for good. Return whether it was there.
   * @param {string} id
   * @returns {Promise<boolean>}
   */
  async remove(id) {
    return this.#write(TALK, async (messages, talks) => {
      const record = await given(messages.index("id").get(id));
      if (!record) return false;
      await given(messages.delete(record.place));
      const talk = await given(talks.get(record.peer));
      if (talk?.last.id !== id) return true;
      talks.delete(record.peer);
      const rest = messages.index("talk").openCursor(talkRange(record.peer), "prev");
      await each(rest, ({ value }) => {
        talks.put({ ...talk, last: messageOf(value), place: value.place });
        return false;
      });
      return true;
    });
  }

  /**
   * Return the message with this id, null if it is not here.
   * @param {string} id
   * @returns {Promise<Message | null>}
   */
  async get(id) {
    const get = (messages) => given(messages.index("id").get(id));
    const record = await this.#read(["messages"], get);
    return record ? messageOf(record) : null;
  }

  /**
   * Return the `most` last messages with somebody, or the last before the message with the id
   * `before`; the newest is the last.
   * @param {number} peer
   * @param {{before?: string | null, most?: number}} [which]
   * @returns {Promise<Message[]>}
   */
  async page(peer, { before = null, most = 50 } = {}) {
    return this.#read(["messages"], async (messages) => {
      let range = talkRange(peer);
      if (before !== null) {
        const found = await given(messages.index("id").getKey(before));
        if (found === undefined) return [];
        range = IDBKeyRange.bound([peer, 0], [peer, found], false, true);
      }
      /** @type {Message[]} */
      const found = [];
      await each(messages.index("talk").openCursor(range, "prev"), (cursor) => {
        found.push(messageOf(cursor.value));
        return found.length < most;
      });
      return found.reverse();
    });
  }

  /**
   * Return messages that have all these words in them, the newest first.
   * @param {string} words
   * @param {{peer?: number | null, most?: number}} [which]
   * @returns {Promise<Message[]>}
   */
  async search(words, { peer = null, most = 50 } = {}) {
    const wanted = folded(words).split(/\s+/).filter(Boolean);
    if (!wanted.length) return [];
    return this.#read(["messages"], async (messages) => {
      const found = [];
      let upper = await lastPlace(messages);
      for (; upper > 0 && found.length < most; upper -= PIECE) {
        const range = IDBKeyRange.bound(upper - PIECE, upper, true);
        for (const record of (await given(messages.getAll(range))).reverse()) {
          if (peer !== null && record.peer !== peer) continue;
          const text = folded(record.text);
          if (wanted.every((word) => text.includes(word))) found.push(messageOf(record));
        }
      }
      return found.slice(0, most);
    });
  }

  /**
   * Return the conversations, first the one in which something was said last.
   * @returns {Promise<{peer: number, last: Message, unread: number}[]>}
   */
  async conversations() {
    const talks = await this.#read(["talks"], (store) => given(store.getAll()));
    talks.sort((one, other) => other.place - one.place);
    return talks.map(({ peer, last, unread }) => ({ peer, last, unread }));
  }

  /**
   * Note that the person has seen all that somebody wrote.
   * @param {number} peer
   * @returns {Promise<void>}
   */
  async markRead(peer) {
    await this.#write(TALK, async (messages, talks) => {
      const talk = await given(talks.get(peer));
      if (!talk?.unread) return;
      talks.put({ ...talk, unread: 0, last: { ...talk.last, read: true } });
      await each(messages.index("unread").openCursor(peer), (cursor) => {
        const { unread, ...record } = cursor.value;
        cursor.update({ ...record, read: true });
      });
    });
  }

  /**
   * Return how many messages of somebody were not seen.
   * @param {number} peer
   * @returns {Promise<number>}
   */
  async unreadOf(peer) {
    const talk = await this.#read(["talks"], (talks) => given(talks.get(peer)));
    return talk?.unread ?? 0;
  }

  /**
   * Return what waits to be sent, the oldest first.
   * @returns {Promise<Waiting[]>}
   */
  async outbox() {
    const records = await this.#read(["messages"], (messages) =>
      given(messages.index("waits").getAll()),
    );
    return records.map((one) => ({ message: messageOf(one), line: one.line, said: one.said }));
  }

  // --- people

  /**
   * Return the friend requests that were not answered, the oldest first.
   * @returns {Promise<FriendRequest[]>}
   */
  async requests() {
    const found = await this.#read(["requests"], (requests) => given(requests.getAll()));
    return found.sort((one, other) => one.at - other.at);
  }

  /**
   * Keep a friend request, also with another nickname than before.
   * @param {FriendRequest} request
   */
  async putRequest(request) {
    await this.#write(["requests"], (requests) => given(requests.put(request)));
  }

  /**
   * Forget the request of somebody.
   * @param {number} uin
   */
  async removeRequest(uin) {
    await this.#write(["requests"], (requests) => given(requests.delete(uin)));
  }

  /**
   * Return something that was kept under a name, such as the roster; undefined if nothing was.
   * @param {string} name
   * @returns {Promise<any>}
   */
  async fact(name) {
    return this.#read(["facts"], (facts) => given(facts.get(name)));
  }

  /**
   * Keep something under a name.
   * @param {string} name
   * @param {any} value
   */
  async setFact(name, value) {
    await this.#write(["facts"], (facts) => given(facts.put(value, name)));
  }

  // --- all of it

  /**
   * Return all messages and friend requests, the oldest first, as they go into a file.
   * @returns {Promise<{uin: number, at: string, messages: Message[], requests: FriendRequest[]}>}
   */
  async export() {
    const messages = await this.#read(["messages"], (store) => given(store.getAll()));
    return {
      uin: this.uin,
      at: new Date(this.#now()).toISOString(),
      messages: messages.map(messageOf),
      requests: await this.requests(),
    };
  }

  /**
   * Forget what was said with somebody, or, without `peer`, everything; then it is closed, too, and
   * cannot be used any more. What waits to be sent is forgotten as well.
   * @param {number | null} [peer]
   */
  async forget(peer = null) {
    if (peer === null) {
      this.close();
      await given(this.factory.deleteDatabase(`kqq-${this.uin}`));
      return;
    }
    await this.#write(TALK, async (messages, talks) => {
      talks.delete(peer);
      const all = messages.index("talk").openCursor(talkRange(peer));
      await each(all, (cursor) => void cursor.delete());
    });
  }

  // --- inside

  async #isKnown(marks, { sender, number, text }, now) {
    if (!isMark(number)) return false;
    const known = await given(marks.get([sender, number]));
    return known !== undefined && known.text === digest(text) && now - known.at <= WEEK;
  }

  #read(stores, work) {
    return within(this.#database, stores, work, { readOnly: true });
  }

  #write(stores, work, strict = false) {
    return within(this.#database, stores, work, { strict });
  }
}
