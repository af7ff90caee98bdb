// Where one writes. Enter sends, Shift+Enter begins a line; while an input method composes, Enter
// is its own.

import { fill, h } from "../common/dom.js";
import { t } from "../common/words.js";
import { icon } from "./icons.js";
import { DRAFTS } from "../common/last.js";

/** Signs that a message may have; the server refuses longer ones. */
const LONGEST = 16_000;
const WARN = 15_000;

/** The field, its button, and what was begun and not sent in each conversation. */
export class Composer {
  /**
   * @param {{send: (text: string) => boolean, leave: () => any, scroll: (by: number) => any}} does
   */
  constructor(does) {
    this.does = does;
    this.peer = null;
    this.drafts = readDrafts();
    this.field = h("textarea", {
      rows: 1,
      class: "input",
      enterkeyhint: "send",
      autocomplete: "off",
      oninput: () => this.#typed(),
      onkeydown: (event) => this.#pressed(event),
    });
    this.button = h("button", { class: "button primary icon-send" }, icon("send"));
    this.count = h("span", { class: "count small-text", role: "status" });
    this.element = h(
      "form",
      {
        class: "composer",
        onsubmit: (event) => {
          event.preventDefault();
          this.send();
        },
      },
      this.field,
      this.button,
      this.count,
    );
    this.redraw();
  }

  /** Write to somebody, with what was begun before. */
  open(peer) {
    this.peer = peer;
    this.field.value = this.drafts.get(peer) ?? "";
    this.#fit();
  }

  /** Say it in another language. */
  redraw() {
    this.field.setAttribute("aria-label", t("chat.write"));
    this.field.placeholder = t("chat.write");
    this.button.setAttribute("aria-label", t("chat.send"));
    this.button.title = t("chat.send");
    this.#fit();
  }

  /** Send what was written, if it is something. */
  send() {
    const text = this.field.value.replace(/\s+$/u, "");
    if (!text || this.peer === null || signs(text) > LONGEST) return;
    if (!this.does.send(text)) return;
    this.field.value = "";
    this.#typed();
    this.field.focus();
  }

  #typed() {
    if (this.field.value) this.drafts.set(this.peer, this.field.value);
    else this.drafts.delete(this.peer);
    keepDrafts(this.drafts);
    this.#fit();
  }

  /** Be as high as the text, up to what the style allows. */
  #fit() {
    const { field } = this;
    field.style.setProperty("height", "auto");
    field.style.setProperty("height", `${field.scrollHeight + 2}px`);
    const length = field.value.length > WARN ? signs(field.value) : 0;
    this.count.classList.toggle("wrong", length > LONGEST);
    fill(this.count, length > WARN ? t("chat.signs_left", { count: LONGEST - length }) : null);
    this.button.disabled = !field.value.trim() || length > LONGEST;
  }

  #pressed(event) {
    // 229 is what a key is while an input method has it; some say only that.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      this.send();
    } else if (event.key === "Escape") {
      event.stopPropagation();
      this.does.leave();
    } else if (event.key === "PageUp" || event.key === "PageDown") {
      event.preventDefault();
      this.does.scroll(event.key === "PageUp" ? -1 : 1);
    }
  }
}

function signs(text) {
  return [...text].length;
}

function readDrafts() {
  try {
    return new Map(JSON.parse(sessionStorage.getItem(DRAFTS) ?? "[]"));
  } catch {
    return new Map();
  }
}

function keepDrafts(drafts) {
  try {
    sessionStorage.setItem(DRAFTS, JSON.stringify([...drafts]));
  } catch {
    // They last until the page is closed.
  }
}

/** Forget what was begun: somebody else may sit here next. */
export function forgetDrafts() {
  keepDrafts(new Map());
}
