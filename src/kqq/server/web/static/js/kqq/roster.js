// @ts-check
// One's friends: who they are, and who is there.

import { friendsOf, statusesOf } from "./people.js";

const FACT = "roster";

/** @typedef {import("./people.js").Person & {status: string}} Friend */

export class Roster {
  /** @type {Map<number, Friend>} */
  people = new Map();

  #history;
  #changed;
  #failed;
  /** @type {Promise<void> | null} */
  #reading = null;
  #isStale = false;
  /** Statuses told while the list is read: they are later than it. @type {Map<number, string>} */
  #told = new Map();

  /**
   * @param {object} settings
   * @param {import("./history.js").History} settings.history
   * @param {() => Promise<void> | void} settings.changed told that the list has changed
   * @param {(error: any) => void} settings.failed told that the history cannot be written
   */
  constructor({ history, changed, failed }) {
    this.#history = history;
    this.#changed = changed;
    this.#failed = failed;
  }

  /** Have the friends of the last time, so that they have names before there is a connection. */
  async load() {
    for (const one of (await this.#history.fact(FACT)) ?? []) {
      this.people.set(one.uin, { ...one, status: "offline" });
    }
  }

  /**
   * Ask for all again; once, however many wish for it meanwhile. Raises KqqError.
   * @param {() => import("./exchange.js").Exchange} exchange the one there is when it is asked
   */
  async refresh(exchange) {
    this.#isStale = true;
    this.#reading ??= this.#read(exchange).finally(() => {
      this.#reading = null;
    });
    await this.#reading;
  }

  /**
   * Note the status of somebody; return whether a friend has another one now.
   * @param {number} uin
   * @param {string} status
   */
  isThere(uin, status) {
    this.#told.set(uin, status);
    const friend = this.people.get(uin);
    if (!friend || friend.status === status) return false;
    friend.status = status;
    return true;
  }

  /** Note that nobody knows any more who is there. */
  forgetStatuses() {
    for (const friend of this.people.values()) friend.status = "offline";
  }

  /**
   * Take somebody out.
   * @param {number} uin
   */
  async remove(uin) {
    this.people.delete(uin);
    await this.#keep();
  }

  async #read(exchange) {
    while (this.#isStale) {
      this.#isStale = false;
      this.#told.clear();
      const friends = await friendsOf(exchange());
      const statuses = await statusesOf(exchange());
      const statusOf = (uin) => this.#told.get(uin) ?? statuses.get(uin) ?? "offline";
      this.people = new Map(friends.map((one) => [one.uin, { ...one, status: statusOf(one.uin) }]));
      await this.#keep();
    }
  }

  async #keep() {
    const friends = [...this.people.values()].map(({ status, ...person }) => person);
    await this.#history.setFact(FACT, friends).catch(this.#failed);
    await this.#changed();
  }
}
