// @ts-check
// Somebody, kept signed in over as many connections as it takes. No page is touched here.
//
// What is written is said once, and what comes is shown once: docs/design/promise.md.

import { Arrivals, readPush } from "./arrivals.js";
import { LINE_LIMIT } from "./codec.js";
import { KqqError, lineOf, uniqueSeq } from "./exchange.js";
import { Keeping } from "./keeping.js";
import { Outbox } from "./outbox.js";
import { profileOf, search, STATUSES, statusName } from "./people.js";
import { Roster } from "./roster.js";

export { KqqError };

/** @typedef {import("./history.js").Message} Message */
/** @typedef {import("./history.js").FriendRequest} FriendRequest */

/**
 * Events, each with its details:
 * phase {phase, retryAt, why}; roster {}: friends or requests have changed; presence {uin, status};
 * message {message}: one was written or came; changed {message}: its `state` may be "discarded",
 * too; request FriendRequest; notice {uin, text, kind}: one's own request was "accepted" or
 * "refused"; trouble {error}: the history cannot be written; line {way, line, at}: one was said,
 * secrets masked, "out" by us or "in" by the server.
 *
 * What asks the server raises KqqError: "offline" if there is no connection now.
 */
export class Messenger extends EventTarget {
  /** One's own status, by name. */
  status;
  /** Friend requests that were not answered, the oldest first. @type {FriendRequest[]} */
  requests = [];

  #history;
  #catalogue;
  #now;
  #random;
  #keeping;
  #outbox;
  #arrivals;
  #roster;
  /** @type {Promise<void> | null} */
  #loaded = null;

  /**
   * @param {object} settings
   * @param {number} settings.uin
   * @param {string} settings.url of the WebSocket
   * @param {any} settings.catalogue what `/static/catalogue.json` holds
   * @param {import("./history.js").History} settings.history
   * @param {string} [settings.status] to begin with
   * @param {() => number} [settings.now] milliseconds since 1970
   * @param {() => number} [settings.random] numbers from 0 to 1
   * @param {typeof globalThis.WebSocket} [settings.WebSocket]
   * @param {() => Promise<boolean>} [settings.isSignedIn] whether the browser still is; asked when
   *   no connection can be made, since a WebSocket does not say why
   * @param {{first?: number, most?: number, answer?: number}} [settings.pace] milliseconds: the
   *   first and the longest pause before connecting again, and how long an answer may take
   */
  constructor({ uin, url, catalogue, history, ...more }) {
    super();
    const { now = Date.now, random = Math.random } = more;
    this.uin = uin;
    this.status = more.status ?? "online";
    [this.#history, this.#catalogue] = [history, catalogue];
    [this.#now, this.#random] = [now, random];
    const failed = (error) => this.#tell("trouble", { error });
    const changed = (message) => this.#tell("changed", { message });
    this.#outbox = new Outbox({ history, now, changed, failed });
    this.#arrivals = new Arrivals({ history, told: (arrival) => this.#take(arrival), failed });
    this.#roster = new Roster({ history, changed: () => this.#rosterCame(), failed });
    this.#keeping = new Keeping({
      uin,
      url,
      now,
      random,
      WebSocket: more.WebSocket ?? globalThis.WebSocket,
      pace: more.pace ?? {},
      isSignedIn: more.isSignedIn ?? askServer,
      status: () => this.status,
      onPhase: () => this.#phaseChanged(),
      onOnline: (exchange) => {
        this.#outbox.speakOver(exchange);
        this.#refreshSoon();
      },
      onStatuses: (statuses) => statuses.forEach((status, one) => this.#isThere(one, status)),
      onPush: (push, confirming) => this.#hear(push, confirming),
      onLine: (way, line) => this.#tell("line", { way, line, at: now() }),
    });
  }

  /**
   * "connecting", "online", "waiting" (until `retryAt`), "replaced" (the session was ended: until
   * `takeBack`), "signed_out" (the browser is) or "stopped".
   */
  get phase() {
    return this.#keeping.phase;
  }

  /** When the next try to connect is, in milliseconds since 1970; null if there will be none. */
  get retryAt() {
    return this.#keeping.retryAt;
  }

  /**
   * What ended the session while the phase is "replaced": a sign-in "elsewhere", or somebody "here"
   * on this server, an operator or oneself on one's account page; else null.
   */
  get endedBy() {
    return this.#keeping.endedBy;
  }

  /** Friends by number: {uin, nick, face, status}. */
  get roster() {
    return this.#roster.people;
  }

  // --- beginning and end

  /** Be signed in from now on, or again. Returns once what the history has is loaded. */
  async start() {
    this.#loaded ??= this.#load();
    await this.#loaded;
    if (this.#keeping.isOn) this.#keeping.connect();
    else this.#keeping.start();
  }

  /** Sign out, and come back only after another `start`. */
  async stop() {
    if (this.#keeping.isOn) await this.#keeping.stop();
  }

  /**
   * Sign in again once the session was ended (who signed in elsewhere learns of it), or before
   * `retryAt`.
   */
  takeBack() {
    this.#keeping.connect();
  }

  // --- messages

  /**
   * Send a text as soon as that can be; `changed` events say what becomes of it. It is in the
   * history and the outbox at once. Raises KqqError "empty" or "too_long".
   * @param {number} peer
   * @param {string} text
   * @returns {Message}
   */
  send(peer, text) {
    const { number, line, words } = this.#written(peer, text);
    const at = this.#now();
    /** @type {Message} */
    const message = {
      id: this.#newId(at),
      peer,
      own: true,
      text: words,
      at,
      state: "waiting",
      number,
      kind: "message",
      read: true,
    };
    this.#tell("message", { message });
    this.#outbox.add(message, line);
    return message;
  }

  /**
   * Say a message once more that is "refused" or "unknown". Return whether it was one.
   * @param {string} id
   */
  async resend(id) {
    const message = await this.#history.get(id);
    if (!message || !["refused", "unknown"].includes(message.state)) return false;
    const { number, line } = this.#written(message.peer, message.text);
    this.#outbox.again(message, number, line);
    return true;
  }

  /**
   * Take a message away that the server does not have, as far as is known; not while it is being
   * said. Return whether that was done.
   * @param {string} id
   */
  async discard(id) {
    const message = await this.#history.get(id);
    if (!message?.own || message.state === "sent" || !this.#outbox.discard(id)) return false;
    await this.#history.remove(id);
    this.#tell("changed", { message: { ...message, state: "discarded" } });
    return true;
  }

  // --- friends and people

  /**
   * Change one's own status, also for later connections.
   * @param {string} name such as "away"
   */
  async setStatus(name) {
    const code = name === "offline" ? undefined : STATUSES[name];
    if (code === undefined) throw new KqqError("refused", `${name} is no status to choose`);
    if (this.phase === "online") await this.#keeping.exchange.ask("Change_Stat", { ST: code });
    this.status = name;
    this.#tell("presence", { uin: this.uin, status: name });
  }

  /**
   * Add somebody, or send them one's request in these words if they want to be asked.
   * @param {number} uin
   * @param {string} [words]
   * @returns {Promise<"added" | "asked">}
   */
  async addFriend(uin, words = "") {
    const { exchange } = this.#keeping;
    const outcome = (await exchange.askOnce("AddToList", { UN: uin })).raw("CD");
    if (outcome === "0") {
      await this.#settleRequest(uin);
      await this.#refreshSoon();
      return "added";
    }
    if (outcome !== "1") throw new KqqError("refused", `${uin} wants nobody to add them`);
    await exchange.askOnce("Ack_AddToList", { UN: uin, CD: 2, RS: words });
    return "asked";
  }

  /**
   * Accept the request of somebody: both are friends then.
   * @param {number} uin
   */
  async acceptFriend(uin) {
    await this.#keeping.exchange.askOnce("Ack_AddToList", { UN: uin, CD: 0, RS: "" });
    await this.#settleRequest(uin);
    await this.#refreshSoon();
  }

  /**
   * Refuse the request of somebody.
   * @param {number} uin
   * @param {string} [words]
   */
  async refuseFriend(uin, words = "") {
    await this.#keeping.exchange.askOnce("Ack_AddToList", { UN: uin, CD: 1, RS: words });
    await this.#settleRequest(uin);
    this.#tell("roster", {});
  }

  /**
   * End the friendship with somebody, for both.
   * @param {number} uin
   */
  async removeFriend(uin) {
    await this.#keeping.exchange.askOnce("DelFromList", { UN: uin });
    await this.#roster.remove(uin);
  }

  /**
   * Return the profile of somebody: number, nickname, face, and the entries that are not empty, by
   * their names in the catalogue.
   * @param {number} uin
   */
  async info(uin) {
    return profileOf(this.#keeping.exchange, uin, this.#catalogue);
  }

  /**
   * Return people found by number, or by age, sex ("0" male, "1" female) and province.
   * @param {{uin?: number, age?: string | number, sex?: string, province?: string}} criteria
   */
  async search(criteria) {
    return search(this.#keeping.exchange, criteria, this.#catalogue);
  }

  /** Ask for the friends and their statuses again. */
  async refresh() {
    await this.#roster.refresh(() => this.#keeping.exchange);
  }

  // --- what happens

  #phaseChanged() {
    const { phase, retryAt, why } = this.#keeping;
    // After a short cut most are still there, and the list must not flicker.
    if (["replaced", "signed_out", "stopped"].includes(phase)) this.#roster.forgetStatuses();
    this.#tell("phase", { phase, retryAt, why });
  }

  #hear(push, confirming) {
    if (push.uin !== this.uin) return;
    if (push.cmd.toLowerCase() === "update_stat") {
      this.#isThere(Number(push.raw("UN")), statusName(Number(push.raw("ST"))));
      return;
    }
    const at = this.#now();
    this.#arrivals.take(readPush(push, this.#newId(at), at), confirming);
  }

  /** Tell of something that was pushed, and is in the history. */
  #take({ sender, text, message, request, answer }) {
    if (message) this.#tell("message", { message });
    if (request) this.#takeRequest(request);
    if (!answer) return;
    this.#tell("notice", { uin: sender, text, kind: answer });
    if (answer === "accepted") this.#refreshSoon();
  }

  /** Say who wants to be a friend, once it is known how they are called. */
  async #takeRequest(request) {
    this.requests = [...this.requests.filter((one) => one.uin !== request.uin), request];
    try {
      const { nick } = await this.info(request.uin);
      if (!this.requests.includes(request)) return; // it was answered meanwhile
      request.nick = nick;
      await this.#history.putRequest(request);
    } catch (error) {
      if (!(error instanceof KqqError)) this.#tell("trouble", { error }); // else the number must do
    }
    this.#tell("request", { ...request });
  }

  async #settleRequest(uin) {
    this.requests = this.requests.filter((one) => one.uin !== uin);
    await this.#history.removeRequest(uin);
  }

  #isThere(uin, status) {
    if (this.#roster.isThere(uin, status)) this.#tell("presence", { uin, status });
  }

  /** Who is a friend by now has no request any more. */
  async #rosterCame() {
    for (const { uin } of this.requests) if (this.roster.has(uin)) await this.#settleRequest(uin);
    this.#tell("roster", {});
  }

  /** Refresh; if the connection ends meanwhile, that is done once there is another. */
  async #refreshSoon() {
    try {
      await this.refresh();
    } catch (error) {
      if (!(error instanceof KqqError)) throw error;
    }
  }

  // --- inside

  async #load() {
    await this.#outbox.load();
    this.requests = await this.#history.requests();
    await this.#roster.load();
    this.#tell("roster", {});
  }

  #written(peer, text) {
    const words = text.replace(/\p{Cs}/gu, "\ufffd"); // half a sign has no bytes
    if (!words) throw new KqqError("empty");
    const number = uniqueSeq(this.#random);
    const line = lineOf("CLTMSG", this.uin, number, { UN: peer, MG: words });
    if (new TextEncoder().encode(line).length > LINE_LIMIT) throw new KqqError("too_long");
    return { words, number, line };
  }

  #newId(at) {
    return `${at.toString(36)}-${Math.floor(this.#random() * 2 ** 52).toString(36)}`;
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Whether the browser is signed in; true if the server does not say. */
async function askServer() {
  const response = await fetch("/api/hello", { cache: "no-store", credentials: "same-origin" });
  return !response.ok || (await response.json()).signed_in;
}
