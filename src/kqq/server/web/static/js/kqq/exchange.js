// @ts-check
// One WebSocket: requests and their answers, and what the server says unasked meanwhile.

import { mask, parse, write } from "./codec.js";

/** What stands behind `CON` in the head of each command after the sign-in, as phones sent it. */
const AFTER_SIGN_IN = { SID: "", XP: "C4CA4238A0B92382" };
const PUSHES = new Set(["server_msg", "update_stat"]);
const NO_SUCH_NUMBER = 5;
const NOT_SIGNED_IN = 20;
/**
 * Close codes of the server: the browser is signed out; the number signed in elsewhere; the session
 * was ended otherwise: by an operator, or on one's account page.
 */
const CLOSED = new Map([
  [4001, "signed_out"],
  [4003, "replaced"],
  [4004, "ended"],
]);

/** What one is told who still waits for an answer then, if not "offline". */
const CODES = new Map([
  ["signed_out", "signed_out"],
  ["replaced", "replaced"],
  ["ended", "replaced"],
]);

/**
 * Why something cannot be had: "offline" (there is no connection), "no_answer", "no_such_number",
 * "refused", "replaced" (signed in elsewhere, or the session was ended), "signed_out", "empty" or
 * "too_long" (a text).
 */
export class KqqError extends Error {
  /**
   * @param {string} code
   * @param {string} [why]
   */
  constructor(code, why = code) {
    super(why);
    this.name = "KqqError";
    this.code = code;
  }
}

/**
 * Return the line of a command. That of a sign-in has a shorter head.
 * @param {string} command
 * @param {number} uin one's own
 * @param {string} seq
 * @param {Record<string, any>} [fields]
 */
export function lineOf(command, uin, seq, fields = {}) {
  const head = { VER: "1.4", CON: "1", CMD: command, SEQ: seq, UIN: uin };
  return write({ ...head, ...(command === "Login" ? {} : AFTER_SIGN_IN), ...fields });
}

/**
 * Return a `SEQ` of ten digits, which no other request of this account has: a repeat of its line is
 * then the same request.
 * @param {() => number} random
 */
export function uniqueSeq(random) {
  return String(1_000_000_000 + Math.floor(random() * 1_000_000_000));
}

export class Exchange {
  #socket;
  #waiting = new Map();
  #seq;
  #settings;

  /**
   * Open a WebSocket. `onEnd` is called once, with why it is over: "lost", "silent" (an answer did
   * not come in time), "signed_out", "replaced", "ended", or what `end` was called with.
   * @param {object} settings
   * @param {string} settings.url
   * @param {number} settings.uin
   * @param {typeof globalThis.WebSocket} settings.WebSocket
   * @param {number} settings.answerTime milliseconds for an answer, and for the connection
   * @param {() => number} settings.random
   * @param {(way: "in" | "out", line: string) => void} settings.onLine
   * @param {(push: import("./codec.js").Parsed) => void} settings.onPush
   * @param {(why: string, wasOpen: boolean) => void} settings.onEnd
   */
  constructor(settings) {
    this.#settings = settings;
    // Phones began with 200 and two digits more, then counted.
    this.#seq = 200 + Math.floor(settings.random() * 100);
    /** Why it is over, null while it is not. @type {string | null} */
    this.ended = null;
    this.wasOpen = false;
    const socket = new settings.WebSocket(settings.url);
    this.#socket = socket;
    /** Fulfilled once there is a connection. @type {Promise<void>} */
    this.opened = new Promise((resolve, reject) => {
      const alarm = setTimeout(() => this.end("silent"), settings.answerTime);
      this.#waiting.set("open", { resolve, reject, alarm });
    });
    this.opened.catch(() => {}); // whoever waits for it is told
    socket.onopen = () => {
      this.wasOpen = true;
      this.#settle("open", (waiting) => waiting.resolve(undefined));
    };
    socket.onmessage = ({ data }) => this.#hear(String(data));
    socket.onclose = ({ code }) => this.end(CLOSED.get(code) ?? "lost");
  }

  /** Whether something can be said. */
  get isOpen() {
    return this.ended === null && this.wasOpen;
  }

  /**
   * Say a command and return its answer. Raises KqqError; if no answer comes in `time` milliseconds
   * the connection is over.
   * @param {string} command
   * @param {Record<string, any>} [fields]
   * @param {{seq?: string, time?: number}} [how]
   * @returns {Promise<import("./codec.js").Parsed>}
   */
  ask(command, fields = {}, { seq = String(this.#seq++), time } = {}) {
    return this.say(lineOf(command, this.#settings.uin, seq, fields), { time });
  }

  /**
   * The same with a command that must not be done twice: its number is used once.
   * @param {string} command
   * @param {Record<string, any>} fields
   */
  askOnce(command, fields) {
    return this.ask(command, fields, { seq: uniqueSeq(this.#settings.random) });
  }

  /**
   * The same with a whole line.
   * @param {string} line
   * @param {{time?: number}} [how]
   * @returns {Promise<import("./codec.js").Parsed>}
   */
  async say(line, { time = this.#settings.answerTime } = {}) {
    if (!this.isOpen) throw new KqqError("offline");
    const { cmd, seq } = parse(line);
    const key = keyOf(cmd, seq);
    const answer = new Promise((resolve, reject) => {
      const alarm = setTimeout(() => {
        this.#settle(key, () => reject(new KqqError("no_answer", `no answer to ${cmd}`)));
        this.end("silent");
      }, time);
      this.#waiting.set(key, { resolve, reject, alarm });
    });
    this.#socket.send(line);
    this.#settings.onLine("out", mask(line));
    return this.#accepted(await answer);
  }

  /**
   * Close the connection and say why to whoever waits. The second call does nothing.
   * @param {string} why
   */
  end(why) {
    if (this.ended !== null) return;
    this.ended = why;
    const socket = this.#socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    const code = CODES.get(why) ?? "offline";
    for (const key of [...this.#waiting.keys()]) {
      this.#settle(key, (waiting) => waiting.reject(new KqqError(code, why)));
    }
    this.#settings.onEnd(why, this.wasOpen);
  }

  #hear(line) {
    this.#settings.onLine("in", mask(line));
    const said = parse(line);
    if (PUSHES.has(said.cmd.toLowerCase())) this.#settings.onPush(said);
    else this.#settle(keyOf(said.cmd, said.seq), (waiting) => waiting.resolve(said));
  }

  #settle(key, how) {
    const waiting = this.#waiting.get(key);
    if (!waiting) return; // an answer to a question that nobody asks any more
    this.#waiting.delete(key);
    clearTimeout(waiting.alarm);
    how(waiting);
  }

  /** Return an answer, or raise the refusal that it is. */
  #accepted(reply) {
    if (reply.res === 0) return reply;
    if (reply.res === NOT_SIGNED_IN) {
      this.end("replaced");
      throw new KqqError("replaced");
    }
    const code = reply.res === NO_SUCH_NUMBER ? "no_such_number" : "refused";
    throw new KqqError(code, `${reply.cmd} is refused: RES=${reply.res}`);
  }
}

function keyOf(command, seq) {
  return `${command.toLowerCase()} ${seq}`;
}
