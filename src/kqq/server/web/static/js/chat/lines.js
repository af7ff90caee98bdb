// The lines that went over the wire, the last of them, and which of them somebody wants to see.

import { parse } from "../kqq/codec.js";

/** Lines that are kept. */
const MOST = 500;

/**
 * A line without its secrets; `count` is its place among all, `rest` what it says besides its
 * command and what stands in every line.
 * @typedef {{count: number, way: "in"|"out", line: string, at: number, command: string,
 *   rest: string}} WireLine
 */

/** Tells "line" of each new one, and "gone" of one that is kept no more. */
export class Lines extends EventTarget {
  /** @param {EventTarget} messenger */
  constructor(messenger) {
    super();
    /** @type {WireLine[]} */
    this.all = [];
    this.count = 0;
    messenger.addEventListener("line", ({ detail }) => this.#take(detail));
  }

  #take({ way, line, at }) {
    const said = { count: (this.count += 1), way, line, at, ...headless(line) };
    this.all.push(said);
    if (this.all.length > MOST) this.tell("gone", this.all.shift());
    this.tell("line", said);
  }

  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

const HEAD = new Set(["VER", "CON", "CMD", "SEQ", "UIN", "SID", "XP"]);

/** Return the command of a line, and what else it says than others do. */
function headless(line) {
  const { cmd } = parse(line);
  const own = line.split("&").filter((part) => !HEAD.has(part.split("=", 1)[0].trim()));
  if (own.length > 1 && own[0] === "RES=0") own.shift(); // all is well, as usual
  return { command: cmd || "—", rest: own.join("&") };
}

/**
 * Whether somebody wants to see a line: `words` stand in it, and it went that `way` (null: any).
 * @param {WireLine} said
 * @param {{words: string, way: "in"|"out"|null}} filter
 */
export function isWanted(said, { words, way }) {
  if (way && said.way !== way) return false;
  const text = said.line.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/u)
    .every((word) => text.includes(word));
}
