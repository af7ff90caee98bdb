// @ts-check
// What the stores of a history hold, and how a message comes into them.
//
// messages: a message and its `place`, which grows; `line`, `said` and `waits` if it is in the
//   outbox, `unread` (the peer) if it was not seen.
// talks: of each conversation the last message, its place, and how many were not seen.
// marks: which pushes came, by sender and number.
// requests: friend requests. facts: whatever else, by name.

import { given } from "./stored.js";

export const VERSION = 1;

/** Whether the number of a push says which message it is, and not how many came. */
export function isMark(number) {
  return /^[0-9]{10}$/.test(number);
}

/**
 * Make the stores of a new database.
 * @param {IDBDatabase} database
 */
export function makeStores(database) {
  const messages = database.createObjectStore("messages", {
    keyPath: "place",
    autoIncrement: true,
  });
  messages.createIndex("id", "id", { unique: true });
  messages.createIndex("talk", ["peer", "place"]);
  messages.createIndex("waits", "waits"); // only those in the outbox have it
  messages.createIndex("unread", "unread"); // the peer, if it was not seen
  database.createObjectStore("talks", { keyPath: "peer" });
  const marks = database.createObjectStore("marks", { keyPath: ["sender", "number"] });
  marks.createIndex("at", "at");
  database.createObjectStore("requests", { keyPath: "uin" });
  database.createObjectStore("facts");
}

/** Put a message at the end of its conversation; `extra` is what only its record has. */
export async function put(messages, talks, message, extra) {
  const isUnread = !message.own && !message.read;
  const record = { ...message, ...extra, ...(isUnread ? { unread: message.peer } : {}) };
  const place = await given(messages.add(record));
  const talk = await given(talks.get(message.peer));
  const unread = (talk?.unread ?? 0) + Number(isUnread);
  await given(talks.put({ peer: message.peer, last: message, place, unread }));
}

/** Return the message of a record. */
export function messageOf({ place, waits, unread, line, said, ...message }) {
  return message;
}

/** Where the messages with somebody are in the index "talk". */
export function talkRange(peer) {
  return IDBKeyRange.bound([peer, 0], [peer, Infinity]);
}

/** Return the place of the last message of all, 0 if there is none. */
export async function lastPlace(messages) {
  const cursor = await given(messages.openKeyCursor(null, "prev"));
  return cursor ? cursor.key : 0;
}

/** A text as it is searched: in whatever case, full-width or not. */
export function folded(text) {
  return text.normalize("NFKC").toLowerCase();
}

/** A short stand-in for a text: it tells two apart, but is no secret (cyrb53). */
export function digest(text) {
  let [high, low] = [0xdeadbeef, 0x41c6ce57];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return `${text.length}-${(low >>> 0).toString(36)}-${(high >>> 0).toString(36)}`;
}
