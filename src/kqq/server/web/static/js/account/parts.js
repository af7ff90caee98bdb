// What the parts of the account page are made of.

import { ApiError } from "../common/api.js";
import { fill } from "../common/dom.js";
import { t } from "../common/words.js";
import { usual } from "./form.js";
import { button, el } from "./live.js";

const TOAST = 4000; // milliseconds

/** Dates of the server are seconds, those of pages milliseconds. */
export const date = (seconds) => seconds * 1000;

/**
 * Make a part of the page: a heading, what it is about, and the rest.
 * @param {string} name
 * @param {...any} children
 */
export function part(name, ...children) {
  return el(
    "section",
    { class: "part", id: `part-${name}`, "aria-labelledby": `head-${name}` },
    el("h1", { id: `head-${name}`, tabindex: "-1" }, () => t(`account.${name}`)),
    children,
  );
}

/** Say something for some seconds, also to who listens. */
export function toast(key, values = {}) {
  let place = document.querySelector(".toasts");
  if (!place) {
    place = el("div", { class: "toasts", role: "status" });
    document.body.append(place);
  }
  const one = el("div", { class: "toast" }, () => t(key, values));
  place.append(one);
  setTimeout(() => one.remove(), TOAST);
}

/**
 * Ask the server, and have `place` show what `draw` makes of the answer; or what went wrong, and a
 * button to try again.
 * @template T
 * @param {any} account
 * @param {HTMLElement} place
 * @param {() => Promise<T>} ask
 * @param {(found: T) => any} draw
 */
export async function load(account, place, ask, draw) {
  place.setAttribute("aria-busy", "true");
  if (!place.hasChildNodes()) fill(place, el("p", { class: "muted" }, () => t("entrance.loading")));
  try {
    fill(place, draw(await ask()));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) {
      account.gone("form.signed_out");
      return;
    }
    const mistake = usual(error);
    fill(
      place,
      el("p", { class: "note bad", role: "alert" }, () => t(mistake.key, mistake.values)),
      button("entrance.again", () => load(account, place, ask, draw)),
    );
  } finally {
    place.removeAttribute("aria-busy");
  }
}

let asked = 0;

/**
 * Ask whether something shall be done; `work` does it, and what it is refused is said in the
 * dialog, which stays. Give whether it was done.
 * @param {{title: string, words: string, values?: Record<string, any>, yes: string,
 *   work: () => Promise<any>}} of
 * @returns {Promise<boolean>}
 */
export function confirm({ title, words, values = {}, yes, work }) {
  return new Promise((resolve) => {
    let isDone = false;
    const told = el("div", { role: "alert", class: "told" });
    const go = button(yes, run, "danger");
    const id = `asked-${(asked += 1)}`;
    const stay = button("account.cancel", () => dialog.close());
    const dialog = el(
      "dialog",
      { class: "dialog", "aria-labelledby": id, "aria-describedby": `${id}-words` },
      el("header", {}, el("h2", { id }, () => t(title, values))),
      el("div", { class: "body" }, told, el("p", { id: `${id}-words` }, () => t(words, values))),
      el("footer", {}, stay, go),
    );
    async function run() {
      go.disabled = true;
      try {
        await work();
        isDone = true;
        dialog.close();
      } catch (error) {
        go.disabled = false;
        if (!(error instanceof ApiError)) throw error;
        const mistake = usual(error);
        fill(told, el("p", { class: "note bad" }, () => t(mistake.key, mistake.values)));
      }
    }
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(isDone);
    });
    document.body.append(dialog);
    dialog.showModal();
    stay.focus();
  });
}

/** A line of a list: a name, what else is known, and buttons. */
export function row({ icon, name, more, buttons }) {
  return el(
    "li",
    { class: "row thing" },
    icon,
    el("div", { class: "spread" },
      el("div", { class: "name" }, name),
      el("div", { class: "muted small-text" }, more)),
    buttons,
  );
}
