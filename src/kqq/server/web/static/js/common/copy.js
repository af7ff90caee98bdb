// The clipboard, also for pages that came over plain HTTP.

import { h } from "./dom.js";

/**
 * Copy a text; return whether that was possible.
 * @param {string} text
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyAsBefore(text);
  }
}

function copyAsBefore(text) {
  const before = document.activeElement;
  const field = h("textarea", { class: "visually-hidden", value: text, "aria-hidden": "true" });
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  const isDone = document.execCommand("copy");
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  return isDone;
}
