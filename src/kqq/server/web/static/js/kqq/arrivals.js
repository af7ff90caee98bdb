// @ts-check
// What the server pushes: into the history first, then told, then confirmed. All in order.

import { numberOf } from "./codec.js";
import { isMark } from "./shelves.js";

const SYSTEM = 10000; // who sends what the server itself has to say
const MESSAGE = 9;
const REQUEST = 2;
const ANSWERS = new Map([
  [3, "accepted"],
  [4, "refused"],
]);
const AT_ONCE = 200; // pushes that are put into the history together

/** @typedef {import("./history.js").Arrival & {answer?: string, confirming: any}} Arrival */

/**
 * Return what a `Server_Msg` is: a message, a friend request, or the answer to one's own.
 * @param {import("./codec.js").Parsed} push
 * @param {string} id for the message, if it is one
 * @param {number} at
 * @returns {import("./history.js").Arrival & {answer?: string}}
 */
export function readPush(push, id, at) {
  const type = numberOf(push.raw("MT")) ?? MESSAGE;
  const sender = numberOf(push.raw("UN")) ?? 0;
  const text = push.get("MG") ?? "";
  const number = push.seq;
  const arrival = { sender, number, text };
  if (type === REQUEST) return { ...arrival, request: { uin: sender, nick: "", words: text, at } };
  const answer = ANSWERS.get(type);
  if (answer) return { ...arrival, answer };
  const kind = sender === SYSTEM ? "system" : "message";
  const message = { id, peer: sender, own: false, text, at, number, kind, read: false };
  return { ...arrival, message: { ...message, state: "received" } };
}

/** Takes pushes in, the messages of a moment together. */
export class Arrivals {
  /** @type {Arrival[]} */
  #waiting = [];
  #isBusy = false;
  /** What was shown and could not be put into the history. @type {Set<string>} */
  #shown = new Set();
  #history;
  #told;
  #failed;

  /**
   * @param {object} settings
   * @param {import("./history.js").History} settings.history
   * @param {(arrival: any) => void} settings.told told what is new
   * @param {(error: any) => void} settings.failed told that the history cannot be written
   */
  constructor({ history, told, failed }) {
    this.#history = history;
    this.#told = told;
    this.#failed = failed;
  }

  /**
   * Take something in that came over the connection that `confirming` is of.
   * @param {import("./history.js").Arrival} arrival
   * @param {import("./confirming.js").Confirming} confirming
   */
  take(arrival, confirming) {
    this.#waiting.push({ ...arrival, confirming });
    if (!this.#isBusy) this.#work();
  }

  async #work() {
    this.#isBusy = true;
    while (this.#waiting.length) {
      const batch = this.#waiting.splice(0, AT_ONCE);
      const { confirming } = batch[batch.length - 1];
      let news = batch;
      try {
        news = /** @type {Arrival[]} */ (await this.#history.receive(batch));
      } catch (error) {
        // It is shown all the same; the server keeps it, and pushes it again some time.
        confirming.stop();
        this.#failed(error);
        news = batch.filter((arrival) => this.#isFirst(arrival));
      }
      for (const arrival of news) this.#told(arrival);
      const last = batch.findLast((one) => isMark(one.number));
      if (last) confirming.due(last.number);
    }
    this.#isBusy = false;
  }

  /** Whether this was not shown yet, as far as this page knows. */
  #isFirst({ sender, number, text }) {
    const key = `${sender} ${number} ${text}`;
    if (!isMark(number)) return true;
    const isNew = !this.#shown.has(key);
    this.#shown.add(key);
    return isNew;
  }
}
