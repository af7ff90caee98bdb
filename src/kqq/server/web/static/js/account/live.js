// Elements whose texts follow the language of the page, so that another language loses nothing
// that was typed and closes nothing that is open.

import { append, h } from "../common/dom.js";
import { languages, t } from "../common/words.js";

const MARK = "data-live";
const FOLLOWING = new WeakMap();

/**
 * Make an element as `h` does. A function as the value of an attribute (but of a listener), or as
 * a child, gives a text that is asked for again whenever the language changes, as long as the
 * element is on the page.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...any} children
 * @returns {any}
 */
export function el(tag, attributes = {}, ...children) {
  const fixed = {};
  const follow = [];
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function" && !name.startsWith("on")) {
      follow.push((element) => element.setAttribute(name, value()));
    } else fixed[name] = value;
  }
  const element = h(tag, fixed);
  const all = children.flat(Infinity);
  if (all.length === 1 && typeof all[0] === "function") {
    follow.push(() => (element.textContent = all[0]()));
  } else {
    append(element, all.map(living));
  }
  if (follow.length > 0) {
    element.setAttribute(MARK, "");
    FOLLOWING.set(element, follow);
    for (const one of follow) one(element);
  }
  return element;
}

const living = (child) => (typeof child === "function" ? el("span", {}, child) : child);

/**
 * Make a button with the words of a key; `kind` are the classes of base.css besides.
 * @param {string} key
 * @param {(event: Event) => any} press
 * @param {string} [kind]
 * @param {Record<string, any>} [more]
 */
export function button(key, press, kind = "", more = {}) {
  const attributes = { type: "button", class: `button ${kind}`.trim(), onclick: press, ...more };
  return el("button", attributes, () => t(key));
}

languages.addEventListener("language", () => {
  for (const element of document.querySelectorAll(`[${MARK}]`)) {
    for (const one of FOLLOWING.get(element) ?? []) one(element);
  }
});
