// @ts-check
// Keeps somebody signed in: connects, signs in, gives signs of life, and comes back after a cut.

import { Confirming } from "./confirming.js";
import { Exchange, KqqError, uniqueSeq } from "./exchange.js";
import { BackOff } from "./pace.js";
import { STATUSES, statusPage } from "./people.js";

const ANSWER_TIME = 15_000; // milliseconds for an answer, or the connection is dead
const PROBE_TIME = 5_000; // the same when there is reason to doubt it
const HEARTBEAT = 60; // seconds between signs of life if the server does not say
const HELD = 10_000; // milliseconds after which a connection counts as a good one
const GOODBYE = 2_000; // milliseconds for the last words
const NOBODY = "0".repeat(32); // who the page is signed in as stands for a password
const LICENCE = "812822641C978097"; // the build that most phones named

/** @typedef {import("./codec.js").Parsed} Parsed */

export class Keeping {
  /**
   * "connecting", "online", "waiting" (until `retryAt`), "replaced" (the session was ended: until
   * `connect`), "signed_out" (the browser is) or "stopped". `why` says more of "waiting" and
   * "signed_out", `endedBy` of "replaced".
   */
  phase = "stopped";
  /** @type {number | null} milliseconds since 1970 */
  retryAt = null;
  why = "";
  /** @type {"elsewhere" | "here" | null} */
  endedBy = null;

  #settings;
  #backOff;
  #isOn = false;
  /** @type {Exchange | null} */
  #exchange = null;
  /** @type {Confirming | null} */
  #confirming = null;
  #timer = 0;
  #beats = 0;
  #onlineSince = 0;
  #hurry = () => this.#comeBack();
  #seen = () => globalThis.document?.visibilityState === "visible" && this.#comeBack();

  /**
   * @param {object} settings
   * @param {number} settings.uin
   * @param {string} settings.url
   * @param {typeof globalThis.WebSocket} settings.WebSocket
   * @param {() => number} settings.now
   * @param {() => number} settings.random
   * @param {{first?: number, most?: number, answer?: number}} settings.pace
   * @param {() => Promise<boolean>} settings.isSignedIn asked where no connection can be made
   * @param {() => string} settings.status with which to sign in
   * @param {() => void} settings.onPhase
   * @param {(exchange: Exchange) => void} settings.onOnline
   * @param {(statuses: Map<number, string>) => void} settings.onStatuses
   * @param {(push: Parsed, confirming: Confirming) => void} settings.onPush
   * @param {(way: "in" | "out", line: string) => void} settings.onLine
   */
  constructor(settings) {
    this.#settings = settings;
    this.#backOff = new BackOff(settings.random, settings.pace);
  }

  /** Whether somebody wants to be signed in. */
  get isOn() {
    return this.#isOn;
  }

  /** The connection over which one is signed in. Raises KqqError if there is none now. */
  get exchange() {
    if (this.phase !== "online" || !this.#exchange) throw new KqqError("offline");
    return this.#exchange;
  }

  /** Be signed in from now on. */
  start() {
    this.#isOn = true;
    globalThis.addEventListener("online", this.#hurry);
    globalThis.document?.addEventListener("visibilitychange", this.#seen);
    this.connect();
  }

  /** Confirm what came, sign out, and stay so. */
  async stop() {
    this.#isOn = false;
    globalThis.removeEventListener("online", this.#hurry);
    globalThis.document?.removeEventListener("visibilitychange", this.#seen);
    clearTimeout(this.#timer);
    const [exchange, confirming] = [this.#exchange, this.#confirming];
    if (exchange && confirming && this.phase === "online") {
      const goodbye = confirming.finish().then(() => exchange.ask("Logout"));
      await Promise.race([goodbye.catch(() => {}), passed(GOODBYE)]); // gone is gone
    }
    if (this.#isOn) return; // it was started again meanwhile
    this.#letGo("stopped");
    this.#enter("stopped");
  }

  /** Connect and sign in, unless that is so or is being done. */
  async connect() {
    if (!this.#isOn || this.#exchange) return;
    clearTimeout(this.#timer);
    const { pace, onPush, ...settings } = this.#settings;
    const exchange = new Exchange({
      ...settings,
      answerTime: pace.answer ?? ANSWER_TIME,
      onPush: (push) => onPush(push, confirming),
      onEnd: (why, wasOpen) => this.#ended(exchange, why, wasOpen),
    });
    const confirming = new Confirming((mark) => exchange.ask("GetMsgEx", {}, { seq: mark }));
    [this.#exchange, this.#confirming] = [exchange, confirming];
    this.#enter("connecting");
    try {
      await exchange.opened;
      this.#answered(exchange, await this.#signIn(exchange));
    } catch (error) {
      exchange.end(error.code ?? "lost"); // most often it has ended already
      if (!(error instanceof KqqError)) throw error;
    }
  }

  /** The ten digits say that pushes will be confirmed. */
  #signIn(exchange) {
    const status = this.#settings.status();
    const [code, isHidden] = [STATUSES[status], status === "hidden"];
    const fields = {
      PS: NOBODY,
      M5: 1,
      LG: isHidden ? code : 0,
      ST: isHidden || status === "online" ? undefined : code,
      LC: LICENCE,
      GD: "",
      CKE: "",
    };
    return exchange.ask("Login", fields, { seq: uniqueSeq(this.#settings.random) });
  }

  #answered(exchange, reply) {
    if (reply.raw("RS") !== "0") {
      exchange.end(`refused: ${reply.get("RA") ?? ""}`);
      return;
    }
    this.#onlineSince = this.#settings.now();
    const heartbeat = Number(reply.raw("HI")) || HEARTBEAT;
    this.#beats = setInterval(() => this.#beat(), heartbeat * 1000);
    this.#enter("online");
    this.#settings.onOnline(exchange);
  }

  /** Ask for statuses, as phones did: there is no command just for a sign of life. */
  async #beat(how = {}) {
    const exchange = this.#exchange;
    if (!exchange?.isOpen) return;
    try {
      this.#settings.onStatuses((await statusPage(exchange, 0, how)).statuses);
    } catch (error) {
      if (!(error instanceof KqqError)) throw error; // else it has ended, and that is told
    }
  }

  /** The network is there again, or the person: do not wait any longer. */
  #comeBack() {
    if (this.phase === "waiting") this.connect();
    else if (this.phase === "online") this.#beat({ time: PROBE_TIME });
  }

  #ended(exchange, why, wasOpen) {
    if (exchange !== this.#exchange) return;
    const now = this.#settings.now();
    if (this.phase === "online" && now - this.#onlineSince >= HELD) this.#backOff.succeeded();
    this.#letGo(why);
    if (!this.#isOn) return;
    if (why === "signed_out") return this.#enter("signed_out");
    if (why === "replaced") return this.#enter("replaced", { endedBy: "elsewhere" });
    if (why === "ended") return this.#enter("replaced", { endedBy: "here" });
    if (/^refused: .*(password|suspended)|^no_such_number/i.test(why)) {
      return this.#enter("signed_out", { why });
    }
    const pause = this.#backOff.next();
    this.#timer = setTimeout(() => this.connect(), pause);
    this.#enter("waiting", { retryAt: now + pause, why });
    if (!wasOpen) this.#askWhetherSignedIn();
  }

  /** Let go of the connection. */
  #letGo(why) {
    const exchange = this.#exchange;
    clearInterval(this.#beats);
    this.#confirming?.stop();
    this.#exchange = this.#confirming = null;
    exchange?.end(why);
  }

  /** A WebSocket does not say why it could not be opened. */
  async #askWhetherSignedIn() {
    const isSignedIn = await this.#settings.isSignedIn().catch(() => true); // nobody can say now
    if (isSignedIn || this.phase !== "waiting") return;
    clearTimeout(this.#timer);
    this.#enter("signed_out");
  }

  #enter(phase, { retryAt = null, why = "", endedBy = null } = {}) {
    [this.phase, this.retryAt, this.why, this.endedBy] = [phase, retryAt, why, endedBy];
    this.#settings.onPhase();
  }
}

function passed(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
