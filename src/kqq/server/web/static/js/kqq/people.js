// @ts-check
// Friends, their statuses, profiles and search: questions that take more than one answer to read.

import { numberOf } from "./codec.js";

/** Statuses by name, as they are in kqq.protocol, with their codes. */
export const STATUSES = Object.freeze({
  online: 10,
  offline: 20,
  away: 30,
  hidden: 40,
  busy: 50,
  call_me: 60,
  do_not_disturb: 70,
});
const LAST_PAGE = 65535;
const EVERYTHING = 3; // the level of detail of a profile
/** Fields of a profile that are its head, or have names of their own here. */
const NO_ENTRIES = new Set([
  ...["ver", "command", "seq", "uin", "res"],
  ...["number", "level", "nick", "face"],
]);
const NAMES = new Map(Object.entries(STATUSES).map(([name, code]) => [code, name]));

/** @typedef {{uin: number, nick: string, face: number}} Person */
/** @typedef {import("./exchange.js").Exchange} Exchange */
/** @typedef {import("./codec.js").Parsed} Parsed */

/**
 * Return the name of a status; somebody with one that nobody knows is there somehow.
 * @param {number | null} code
 * @returns {string}
 */
export function statusName(code) {
  return NAMES.get(code ?? STATUSES.offline) ?? "online";
}

/**
 * Return the whole friend list.
 * @param {Exchange} exchange
 * @returns {Promise<Person[]>}
 */
export async function friendsOf(exchange) {
  const friends = [];
  for (let start = 0; ; ) {
    const page = await exchange.ask("SimpleInfo2", { UN: start, TO: 0 });
    friends.push(...peopleIn(page));
    const next = numberOf(page.raw("NP"));
    if (next === null || next === LAST_PAGE || next <= start) return friends;
    start = next;
  }
}

/**
 * Return the statuses of all friends, by number.
 * @param {Exchange} exchange
 * @returns {Promise<Map<number, string>>}
 */
export async function statusesOf(exchange) {
  const statuses = new Map();
  for (let start = 0; ; ) {
    const page = await statusPage(exchange, start);
    for (const [uin, status] of page.statuses) statuses.set(uin, status);
    const last = [...page.statuses.keys()].pop() ?? 0;
    if (page.isLast || last <= start) return statuses;
    start = last;
  }
}

/**
 * Return the page of statuses behind the number `start`. It is also how one says that one is there.
 * @param {Exchange} exchange
 * @param {number} start
 * @param {{time?: number}} [how]
 */
export async function statusPage(exchange, start, how = {}) {
  const page = await exchange.ask("Query_Stat2", { CM: 2, UN: start }, how);
  const codes = page.list("ST").map(numberOf);
  const numbers = page.list("UN").map(numberOf);
  const statuses = new Map(numbers.map((uin, at) => [uin ?? 0, statusName(codes[at])]));
  return { statuses, isLast: page.raw("FN") !== "0" };
}

/**
 * Return the profile of somebody: number, nickname, face, and the entries that are not empty, by
 * their names in the catalogue.
 * @param {Exchange} exchange
 * @param {number} uin
 * @param {any} catalogue
 * @returns {Promise<Person & Record<string, any>>}
 */
export async function profileOf(exchange, uin, catalogue) {
  const reply = await exchange.ask("GetInfo", { LV: EVERYTHING, UN: uin });
  /** @type {any} */
  const profile = { uin, nick: reply.get("NK") ?? "", face: numberOf(reply.raw("FC")) ?? 0 };
  const { fields } = catalogue.commands.find((one) => one.class === "GetInfoReply");
  for (const { key, name } of fields) {
    if (!NO_ENTRIES.has(name) && reply.get(key)) profile[name] = reply.get(key);
  }
  return profile;
}

/**
 * Return people found by number, or by age, sex ("0" male, "1" female) and province.
 * @param {Exchange} exchange
 * @param {{uin?: number, age?: string | number, sex?: string, province?: string}} criteria
 * @param {any} catalogue
 * @returns {Promise<Person[]>}
 */
export async function search(exchange, { uin, age, sex, province }, catalogue) {
  if (uin) {
    const { nick, face } = await profileOf(exchange, uin, catalogue);
    return [{ uin, nick, face }];
  }
  return peopleIn(await exchange.ask("Finger", { AG: age, SX: sex, PV: province }));
}

/**
 * @param {Parsed} page
 * @returns {Person[]}
 */
function peopleIn(page) {
  const [nicks, faces] = [page.list("NK"), page.list("FC").map(numberOf)];
  return page
    .list("UN")
    .map((uin, at) => ({ uin: numberOf(uin) ?? 0, nick: nicks[at] ?? "", face: faces[at] ?? 0 }));
}
