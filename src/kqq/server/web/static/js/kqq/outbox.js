// @ts-check
// One's own messages until the server has them.
//
// The protocol has no way to ask whether a message arrived whose answer was lost. But the server
// answers the very same line again without storing it twice, for a quarter of an hour; so a message
// that was said is said again in the same words, and given up as unknown when it is too late.

import { KqqError } from "./exchange.js";

const REPEAT_TIME = 600_000; // milliseconds since it was first said
const MOST_UNANSWERED = 3; // so often a server gets to hear it that answers other things

/** @typedef {import("./history.js").Message} Message */

/**
 * `stored` is fulfilled once the message is in the history.
 * @typedef {object} Entry
 * @property {Message} message
 * @property {string} line
 * @property {number | null} said when it was first said
 * @property {number} unanswered how often no answer came though there was a connection
 * @property {Promise<any>} stored
 */

export class Outbox {
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  #history;
  #now;
  #changed;
  #failed;
  /** @type {import("./exchange.js").Exchange | null} */
  #exchange = null;

  /**
   * @param {object} settings
   * @param {import("./history.js").History} settings.history
   * @param {() => number} settings.now
   * @param {(message: Message) => void} settings.changed told what became of a message
   * @param {(error: any) => void} settings.failed told that the history cannot be written
   */
  constructor({ history, now, changed, failed }) {
    this.#history = history;
    this.#now = now;
    this.#changed = changed;
    this.#failed = failed;
  }

  /** Take what an earlier page left. */
  async load() {
    const older = await this.#history.outbox();
    const newer = this.#entries; // written before this was read, and perhaps among that
    this.#entries = new Map();
    for (const { message, line, said } of older) {
      if (!newer.has(message.id)) this.#put(message, line, said, Promise.resolve());
    }
    for (const [id, entry] of newer) this.#entries.set(id, entry);
  }

  /**
   * Keep a message and say it when its turn has come.
   * @param {Message} message
   * @param {string} line
   */
  add(message, line) {
    this.#put(message, line, null, this.#try(this.#history.add(message, { line })));
    this.#goOn();
  }

  /**
   * Say a message again that was refused, or of which nobody knows whether it arrived.
   * @param {Message} message as it was
   * @param {string} number of the new line
   * @param {string} line
   */
  again(message, number, line) {
    const changes = { state: /** @type {const} */ ("waiting"), number, why: undefined };
    const waiting = { ...message, ...changes };
    const stored = this.#history.update(message.id, { ...changes, line, said: null });
    this.#put(waiting, line, null, this.#try(stored));
    this.#changed(waiting);
    this.#goOn();
  }

  /**
   * Let go of a message unless it is being said; return whether it may be taken away.
   * @param {string} id
   */
  discard(id) {
    const entry = this.#entries.get(id);
    if (entry && entry.said !== null) return false;
    this.#entries.delete(id);
    return true;
  }

  /**
   * Say what waits over a connection, one message after the other, also what is added later.
   * @param {import("./exchange.js").Exchange} exchange
   */
  speakOver(exchange) {
    this.#exchange = exchange;
    this.#isSpeaking = false;
    this.#goOn();
  }

  #isSpeaking = false;

  async #goOn() {
    const exchange = this.#exchange;
    if (!exchange || this.#isSpeaking) return;
    this.#isSpeaking = true;
    for (let entry; exchange.isOpen && (entry = this.#first()); ) await this.#say(exchange, entry);
    if (exchange === this.#exchange) this.#isSpeaking = false;
  }

  async #say(exchange, entry) {
    const { message, line } = entry;
    const isStill = () => exchange.isOpen && this.#entries.get(message.id) === entry;
    await entry.stored;
    if (!isStill()) return;
    if (this.#isTooLate(entry)) return this.#settle(entry, { state: "unknown" });
    if (entry.said === null) {
      entry.said = this.#now();
      await this.#try(this.#history.update(message.id, { said: entry.said }));
      if (!isStill()) {
        entry.said = null; // it was not said after all
        entry.stored = this.#try(this.#history.update(message.id, { said: null }));
        return;
      }
    }
    try {
      await exchange.say(line);
      this.#settle(entry, { state: "sent" });
    } catch (error) {
      if (error.code === "refused" || error.code === "no_such_number") {
        this.#settle(entry, { state: "refused", why: error.code });
      } else if (error.code === "no_answer") {
        entry.unanswered += 1;
      } else if (!(error instanceof KqqError)) {
        throw error;
      } // else the connection is over, and it is said again over the next
    }
  }

  #isTooLate({ said, unanswered }) {
    if (unanswered >= MOST_UNANSWERED) return true;
    const age = said === null ? 0 : this.#now() - said;
    return age < 0 || age > REPEAT_TIME;
  }

  #settle(entry, changes) {
    const { id } = entry.message;
    this.#entries.delete(id);
    this.#try(this.#history.update(id, changes, { only: "waiting" }));
    this.#changed({ ...entry.message, ...changes });
  }

  #put(message, line, said, stored) {
    this.#entries.set(message.id, { message, line, said, unanswered: 0, stored });
  }

  #first() {
    return this.#entries.values().next().value;
  }

  /** Wait for the history; a message that it cannot keep is said all the same. */
  async #try(work) {
    try {
      await work;
    } catch (error) {
      this.#failed(error);
    }
  }
}
