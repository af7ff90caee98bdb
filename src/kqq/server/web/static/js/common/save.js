// Files that the page makes for somebody to keep.

import { h } from "./dom.js";

const KEPT = 60_000; // milliseconds in which a browser has begun to save

/**
 * Have the browser save a value as a file of JSON.
 * @param {string} name
 * @param {any} value
 */
function saveJson(name, value) {
  const file = new Blob([JSON.stringify(value, null, 1)], { type: "application/json" });
  const href = URL.createObjectURL(file);
  const link = h("a", { href, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(href), KEPT);
}

/**
 * Save the conversations that this browser has kept of somebody; return whether there are any.
 * @param {import("../kqq/history.js").History} history
 * @param {number} uin
 */
export async function saveConversations(history, uin) {
  const found = await history.export();
  if (found.messages.length === 0) return false;
  saveJson(`kqq-${uin}-conversations.json`, found);
  return true;
}
