// The operator's API: an action by its name.

import { api } from "../common/api.js";

const PAGE = 1000; // entries that the server gives at once

/**
 * Return what a reading action says; arguments that are null or undefined are left out.
 * @param {string} action
 * @param {Record<string, any>} [values]
 */
export function read(action, values = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) query.append(name, one);
  }
  const more = query.toString();
  return api.get(`/api/v1/${action}${more ? `?${more}` : ""}`);
}

/**
 * Do what changes something.
 * @param {string} action
 * @param {Record<string, any>} [values]
 */
export function act(action, values = {}) {
  return api.post(`/api/v1/${action}`, values);
}

/** Return the address of the WebSocket with live lines. */
export function wireAddress(withTexts, place = location) {
  const scheme = place.protocol === "https:" ? "wss:" : "ws:";
  return `${scheme}//${place.host}/api/v1/wire${withTexts ? "?texts=show" : ""}`;
}

/** Return who is signed in, at most so many, in order of number. */
export async function sessions(most) {
  const found = [];
  while (found.length < most) {
    const wanted = Math.min(most - found.length, PAGE);
    const page = await read("sessions", { after: found.at(-1)?.uin ?? 0, most: wanted });
    found.push(...page);
    if (page.length < wanted) break;
  }
  return found;
}

/** Return the roles of operators by their numbers. */
export async function roles() {
  const found = await read("operator.list");
  return new Map(found.map((one) => [one.uin, one.role]));
}
