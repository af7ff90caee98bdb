// The page inside a phone of 2005: its screen shows the same panes, and its keys do what they did.
// F1 and F2 are the soft keys, as in emulators of such phones; the number block is the keypad.

import { fill, h } from "../common/dom.js";
import { clock } from "../common/time.js";
import { t } from "../common/words.js";
import { frontDialog, openMenu, setScreen } from "./dialog.js";
import { Keypad, put, takeAway } from "./keypad.js";
import { handsetElement } from "./phone.js";
import { choose } from "./preferences.js";

const STYLE = "/static/css/handset.css";
const HELD = 550; // milliseconds after which a key that is held means its number
const LIT = 130; // milliseconds that a key looks pressed
const TEXTS = "textarea, input:not([type=checkbox], [type=radio])";
const STOPS = "a[href], button:not(:disabled), input, select, textarea, summary";
const NUMBER_BLOCK = { NumpadMultiply: "*", NumpadDivide: "#" };
/** What the keypad does where nothing can be written. */
const MOVES = { 2: "up", 8: "down", 4: "west", 6: "east", 5: "ok" };

/** The phone around the page. */
export class Handset {
  /** @param {any} chat */
  constructor(chat) {
    this.chat = chat;
    this.keypad = new Keypad();
    this.at = null; // the element of the screen that has the keys
    this.isDue = false;
    const parts = handsetElement(
      (key) => this.press(key),
      (key) => this.#hold(key),
      HELD,
    );
    Object.assign(this, parts);
    this.place.append(chat.app);
    setScreen(this.place);
    document.documentElement.dataset.skin = "handset";
    dress();
    this.#listen();
    this.redraw();
  }

  /** Have the keys go to the screen. */
  focus() {
    this.#here();
  }

  /** Be no phone any more. */
  leave() {
    clearInterval(this.timer);
    this.watcher.disconnect();
    setScreen(null);
    delete document.documentElement.dataset.skin;
    this.field.inputMode = "text";
    this.element.remove();
  }

  get field() {
    return this.chat.conversation.composer.field;
  }

  #listen() {
    const soon = () => this.redrawSoon();
    for (const type of ["input", "focusin", "focusout", "click"]) {
      this.place.addEventListener(type, soon);
    }
    this.place.addEventListener("focusin", ({ target }) => (this.at = target));
    // The keyboard of a touch screen comes only when the field itself is touched.
    this.field.inputMode = "none";
    this.field.addEventListener("pointerdown", () => (this.field.inputMode = "text"));
    this.field.addEventListener("blur", () => (this.field.inputMode = "none"));
    this.watcher = new MutationObserver(soon);
    this.watcher.observe(this.place, { childList: true });
    this.timer = setInterval(soon, 10_000);
    this.chat.messenger.addEventListener("phase", soon);
    this.chat.talks.addEventListener("rows", soon);
  }

  /** Draw the labels of the soft keys and the line at the top, once for many changes. */
  redrawSoon() {
    if (this.isDue) return;
    this.isDue = true;
    queueMicrotask(() => {
      this.isDue = false;
      this.redraw();
    });
  }

  redraw() {
    const { left, right, ok } = this.#soft();
    fill(
      this.labels,
      h("span", {}, left.label),
      h("span", { class: "middle" }, ok),
      h("span", {}, right.label),
    );
    this.keyboard.setAttribute("aria-label", t("phone.keypad"));
    const names = {
      left: t("phone.left", { label: left.label }),
      right: t("phone.right", { label: right.label }),
    };
    for (const [key, button] of this.keys) {
      const name =
        names[key] ?? (/^[\d*#]$/u.test(key) ? t("phone.key", { key }) : t(`phone.${key}`));
      button.setAttribute("aria-label", name);
    }
    const { messenger, talks } = this.chat;
    this.drawTop({
      isOnline: messenger.phase === "online",
      unread: talks.unread,
      mode: this.#text() ? this.keypad.mode : "",
      time: clock(Date.now()),
    });
  }

  // --- what the keys are for

  /** What the soft keys say and do where one is now. */
  #soft() {
    const dialog = frontDialog();
    const text = this.#text();
    const clear = { label: t("phone.clear"), action: () => takeAway(text) };
    const hasText = Boolean(text?.value);
    if (dialog) return this.#softOf(dialog, hasText ? clear : null);
    if (this.chat.talks.current === null) {
      return {
        left: { label: t("phone.options"), action: () => this.#rosterMenu() },
        right: { label: t("phone.today"), action: () => choose("skin", "modern") },
        ok: t("phone.select"),
      };
    }
    const isWritten = Boolean(this.field.value.trim());
    return {
      left: isWritten
        ? { label: t("chat.send"), action: () => this.chat.conversation.composer.send() }
        : { label: t("phone.options"), action: () => this.#talkMenu() },
      right: hasText ? clear : { label: t("phone.back"), action: () => this.chat.back() },
      ok: "",
    };
  }

  #softOf(dialog, clear) {
    const main = dialog.querySelector("footer .primary");
    const left = main
      ? { label: main.textContent, action: () => main.click() }
      : { label: t("phone.select"), action: () => this.#ok() };
    const right = clear ?? { label: t("phone.back"), action: () => dialog.close() };
    return { left, right, ok: main ? t("phone.select") : "" };
  }

  #rosterMenu() {
    const { chat } = this;
    openMenu(
      this.labels,
      [
        { label: t("friends.add"), action: () => chat.addFriend() },
        { label: t("chat.find"), action: () => chat.find() },
        { label: t("phone.status"), action: () => chat.own.statusMenu() },
        { label: t("phone.wire"), action: () => chat.showWire() },
        { label: t("settings.title"), action: () => chat.settings() },
        { label: t("settings.account"), href: "/account" },
      ],
      t("phone.options"),
    );
  }

  #talkMenu() {
    const { chat } = this;
    const { messages } = chat.conversation.log;
    const troubled = messages.findLast(({ state }) => state === "unknown" || state === "refused");
    const about = troubled
      ? [
          { label: t("chat.resend"), action: () => chat.messenger.resend(troubled.id) },
          { label: t("chat.discard"), action: () => chat.messenger.discard(troubled.id) },
        ]
      : [];
    chat.talkMenu(this.labels, [
      ...about,
      { label: t("chat.find_here"), action: () => chat.find(chat.talks.current) },
      { label: t("phone.to_newest"), action: () => chat.conversation.log.goToEnd(true) },
      { label: t("phone.wire"), action: () => chat.showWire() },
    ]);
  }

  /**
   * Do what a key does: "left" and "right" (the soft keys), "up", "down", "west", "east", "ok",
   * "call", "end", or a sign of the keypad.
   */
  press(key) {
    this.#light(key);
    if (key.length > 1) this.keypad.rest();
    const soft = this.#soft();
    if (key === "left" || key === "right") soft[key].action();
    else if (key === "up" || key === "down") this.#move(key === "up" ? -1 : 1);
    else if (key === "west" || key === "east") this.#aside(key === "west" ? -1 : 1);
    else if (key === "ok") this.#ok();
    else if (key === "call") this.#call();
    else if (key === "end") this.#end();
    else this.#type(key);
    this.redrawSoon();
  }

  /** A key of the keypad is held: it means its number. */
  #hold(key) {
    const text = this.#text();
    if (!text || key === "#") return;
    this.#light(key);
    put(text, { sign: key, isAnother: false });
    this.keypad.rest();
  }

  #type(key) {
    const text = this.#text();
    if (!text) {
      const choice = frontDialog()?.matches(".choices") && this.#stops()[Number(key) - 1];
      if (choice) choice.click();
      else if (MOVES[key]) this.press(MOVES[key]);
      return;
    }
    if (key === "#") {
      this.keypad.nextMode();
      return;
    }
    const before = text.value.slice(0, text.selectionStart ?? text.value.length);
    const isNumber = text.inputMode === "numeric";
    put(text, this.keypad.press(key, performance.now(), { before, isNumber }));
  }

  #move(step) {
    const from = this.#here();
    if (sayKey(from, step < 0 ? "ArrowUp" : "ArrowDown")) return;
    if (!frontDialog() && this.chat.talks.current !== null) {
      this.chat.conversation.log.scroller.scrollBy({ top: step * 80 });
      return;
    }
    const stops = this.#stops();
    const place = stops.indexOf(from);
    stops.at(place < 0 ? 0 : (place + step) % stops.length)?.focus();
  }

  #aside(step) {
    const here = this.#here();
    if (here.matches("select")) return turn(here, step);
    if (!here.matches(TEXTS)) return;
    const at = Math.min(Math.max((here.selectionStart ?? 0) + step, 0), here.value.length);
    here.setSelectionRange(at, at);
  }

  #ok() {
    const here = this.#here();
    if (here.matches("select")) turn(here, 1);
    else if (here === this.field) this.chat.conversation.composer.send();
    else if (here.matches(TEXTS)) {
      if (!sayKey(here, "Enter")) here.form?.requestSubmit();
    } else here.click();
  }

  #call() {
    if (frontDialog()) return;
    if (this.chat.talks.current === null) this.#ok();
    else this.chat.conversation.composer.send();
  }

  #end() {
    const dialog = frontDialog();
    if (dialog) dialog.close();
    else if (this.chat.talks.current !== null) this.chat.back();
  }

  /**
   * Take a key of the computer. Return whether it was one of the phone's.
   * @param {KeyboardEvent} event
   */
  pressed(event) {
    if (isSaying) return true; // it is our own
    const key = this.#keyOf(event);
    if (!key) return false;
    event.preventDefault();
    this.press(key);
    return true;
  }

  #keyOf(event) {
    const { key, code, target } = event;
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return null;
    if (target.closest?.(".wire")) return null;
    if (key === "F1") return "left";
    if (key === "F2") return "right";
    if (/^Numpad\d$/u.test(code) && /^\d$/u.test(key)) return key;
    if (NUMBER_BLOCK[code]) return NUMBER_BLOCK[code];
    const isArrow = key === "ArrowUp" || key === "ArrowDown";
    const isWriting = target.matches?.("textarea") && target.value.includes("\n");
    if (isArrow && !isWriting) {
      return key === "ArrowUp" ? "up" : "down";
    }
    if (key === "Escape") return "end";
    return null;
  }

  // --- where one is

  /** The element of the screen that has the keys; where it is gone, what one would begin with. */
  #here() {
    const scope = this.#scope();
    if (this.at && scope.contains(this.at) && this.at.isConnected) {
      if (document.activeElement !== this.at) this.at.focus();
      return this.at;
    }
    const first = this.#isTalking() ? this.field : this.#stops()[0];
    first?.focus();
    return first ?? scope;
  }

  #isTalking() {
    return !frontDialog() && this.chat.talks.current !== null;
  }

  /** The field that keys of the keypad write to, null if there is none. */
  #text() {
    if (this.#isTalking())
      return this.chat.conversation.composer.element.hidden ? null : this.field;
    const isIn = this.at?.isConnected && this.#scope().contains(this.at);
    return isIn && this.at.matches(TEXTS) ? this.at : null;
  }

  #scope() {
    const talk = this.chat.talks.current === null ? this.chat.side : this.chat.conversation.element;
    return frontDialog() ?? talk;
  }

  /** What up and down go through. */
  #stops() {
    const dialog = frontDialog();
    const all = (dialog ?? this.chat.roster.element).querySelectorAll(STOPS);
    return [...all].filter((one) => one.offsetParent !== null && !one.matches(".close"));
  }

  #light(key) {
    const button = this.keys.get(key);
    button?.classList.add("lit");
    setTimeout(() => button?.classList.remove("lit"), LIT);
  }
}

let isSaying = false;

/** Tell an element of a key as if it came from a keyboard; return whether it was for something. */
function sayKey(element, key) {
  isSaying = true;
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
  const isTaken = !element.dispatchEvent(event);
  isSaying = false;
  return isTaken;
}

/** Choose what comes next in a choice. */
function turn(select, step) {
  const count = select.options.length;
  select.selectedIndex = (select.selectedIndex + step + count) % count;
  select.dispatchEvent(new Event("change", { bubbles: true }));
}

function dress() {
  if (document.querySelector(`link[href="${STYLE}"]`)) return;
  document.head.append(h("link", { rel: "stylesheet", href: STYLE }));
}
