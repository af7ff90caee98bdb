// Dialogs, menus and toasts. In the handset they are screens of the phone, else they are above the
// page.

import { append, fill, h } from "../common/dom.js";
import { t } from "../common/words.js";
import { icon } from "./icons.js";

/** The screen of the handset, null if the page is not in one. @type {HTMLElement|null} */
let screen = null;
let made = 0;

/** Have dialogs open within an element, or above the page (null). */
export function setScreen(element) {
  screen = element;
}

/** Return the dialog that is in front, null if there is none. */
export function frontDialog() {
  const all = document.querySelectorAll("dialog[open]");
  return all.length ? all[all.length - 1] : null;
}

/** Close what is open. */
export function closeAll() {
  for (const one of [...document.querySelectorAll("dialog[open]")].reverse()) one.close();
}

/**
 * Open a dialog. `body` and `footer` are children; with `onsubmit` all is a form, and the dialog
 * stays open until it is closed. It is gone from the page once it is closed.
 * @param {{title: string, body: any, footer?: any, kind?: string, onsubmit?: (event: Event) => any,
 *   onclose?: () => any}} of
 * @returns {HTMLDialogElement}
 */
export function openDialog({ title, body, footer, kind = "", onsubmit, onclose }) {
  const id = `dialog-${(made += 1)}`;
  const opener = document.activeElement;
  const close = h(
    "button",
    { type: "button", class: "button icon small close", "aria-label": t("chat.close") },
    icon("close"),
  );
  const parts = [
    h("header", {}, h("h2", { id, class: "cut" }, title), close),
    h("div", { class: "body" }, body),
    footer && h("footer", {}, footer),
  ];
  const element = h("dialog", { class: `dialog ${kind}`, "aria-labelledby": id });
  append(element, onsubmit ? h("form", { novalidate: true }, parts) : parts);
  close.addEventListener("click", () => element.close());
  if (onsubmit) {
    element.firstChild.addEventListener("submit", (event) => {
      event.preventDefault();
      onsubmit(event);
    });
  }
  element.addEventListener("pointerdown", (event) => {
    if (event.target === element && !isInside(event, element)) element.close();
  });
  // An open dialog of the handset is not modal to the browser: the keypad must work.
  const behind = screen ? [...screen.children].filter((one) => !one.inert) : [];
  let isOver = false;
  const finish = () => {
    if (isOver) return;
    isOver = true;
    element.remove();
    for (const one of behind) one.inert = false;
    if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    onclose?.();
  };
  // The event comes later, when another dialog may be open already.
  element.close = () => {
    HTMLDialogElement.prototype.close.call(element);
    finish();
  };
  element.addEventListener("close", finish);
  if (screen) {
    for (const one of behind) one.inert = true;
    screen.append(element);
    element.show();
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.isComposing) return;
      event.stopPropagation();
      element.close();
    });
  } else {
    document.body.append(element);
    element.showModal();
  }
  const first =
    element.querySelector("[autofocus]") ??
    element.querySelector(".body :is(input, textarea, select, button, a)");
  (first ?? element.querySelector("footer .primary") ?? close).focus();
  return element;
}

function isInside({ clientX, clientY }, element) {
  const { left, right, top, bottom } = element.getBoundingClientRect();
  return clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
}

/**
 * Ask whether something shall be done that cannot be undone. `more` are children below the words.
 * @param {{title: string, words: string, yes: string, danger?: boolean, more?: any}} of
 * @returns {Promise<boolean>}
 */
export function ask({ title, words, yes, danger = false, more }) {
  return new Promise((resolve) => {
    let isYes = false;
    const element = openDialog({
      title,
      body: [h("p", {}, words), more],
      footer: [
        button(t("chat.cancel"), () => element.close()),
        button(
          yes,
          () => {
            isYes = true;
            element.close();
          },
          danger ? "danger" : "primary",
        ),
      ],
      onclose: () => resolve(isYes),
    });
    element.querySelector("footer .button").focus();
  });
}

/**
 * A button with a text; `kind` are further classes.
 * @param {string} text
 * @param {(event: Event) => any} action
 */
export function button(text, action, kind = "", attributes = {}) {
  return h(
    "button",
    { type: "button", class: `button ${kind}`, onclick: action, ...attributes },
    text,
  );
}

/** A button that is a drawing; `name` says what it does. */
export function iconButton(drawing, name, action, attributes = {}) {
  return h(
    "button",
    {
      type: "button",
      class: "button icon",
      "aria-label": name,
      title: name,
      onclick: action,
      ...attributes,
    },
    icon(drawing),
  );
}

/**
 * @typedef {{label: string, icon?: any, action?: () => any, checked?: boolean, href?: string}} Item
 */

/**
 * Open a menu at an element; null among the items is a line between them.
 * @param {HTMLElement} anchor
 * @param {(Item|null)[]} items
 * @param {string} label what the menu is
 */
export function openMenu(anchor, items, label) {
  if (screen) return openList(items, label);
  const close = () => menu.matches(":popover-open") && menu.hidePopover();
  const menu = h(
    "div",
    { class: "menu floating", role: "menu", "aria-label": label, popover: "auto" },
    items.map((item) => (item ? menuItem(item, close) : h("hr"))),
  );
  const buttons = [...menu.querySelectorAll("[role^=menuitem]")];
  menu.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const place = buttons.indexOf(document.activeElement);
    let next = null;
    if (step) next = buttons.at((place + step) % buttons.length);
    else if (event.key === "Home") next = buttons[0];
    else if (event.key === "End") next = buttons.at(-1);
    else if (event.key === "Tab") return close();
    else return;
    event.preventDefault();
    next.focus();
  });
  menu.addEventListener("toggle", (event) => {
    anchor.setAttribute("aria-expanded", String(event.newState === "open"));
    if (event.newState === "open") return;
    const hadFocus =
      menu.contains(document.activeElement) || document.activeElement === document.body;
    menu.remove();
    if (hadFocus) anchor.focus();
  });
  document.body.append(menu);
  menu.showPopover();
  put(menu, anchor);
  (buttons.find((one) => one.getAttribute("aria-checked") === "true") ?? buttons[0])?.focus();
}

function menuItem({ label, icon: drawing, action, checked, href }, close) {
  const act = () => {
    close();
    action?.();
  };
  const isChoice = checked !== undefined;
  return h(
    href ? "a" : "button",
    {
      type: href ? null : "button",
      href,
      tabindex: "-1",
      role: isChoice ? "menuitemradio" : "menuitem",
      "aria-checked": isChoice ? String(checked) : null,
      onclick: act,
    },
    drawing,
    h("span", { class: "spread" }, label),
    checked ? icon("check", 16) : null,
  );
}

/** Put a menu below its anchor, within the window. */
function put(menu, anchor) {
  const at = anchor.getBoundingClientRect();
  const { width, height } = menu.getBoundingClientRect();
  const left = Math.min(Math.max(8, at.left), innerWidth - width - 8);
  const below = at.bottom + 6;
  const top = below + height > innerHeight - 8 ? Math.max(8, at.top - height - 6) : below;
  menu.style.setProperty("left", `${left}px`);
  menu.style.setProperty("top", `${top}px`);
}

/** The same as a screen of the handset: with numbers, which are keys of the keypad, too. */
function openList(items, label) {
  const element = openDialog({
    title: label,
    kind: "choices",
    body: h(
      "div",
      { class: "menu" },
      items.filter(Boolean).map(({ label: text, action, checked, href }, place) =>
        h(
          href ? "a" : "button",
          {
            type: href ? null : "button",
            href,
            autofocus: checked,
            "aria-pressed": checked === undefined ? null : String(checked),
            onclick: () => {
              element.close();
              action?.();
            },
          },
          h("span", { class: "spread" }, `${place + 1} ${text}`),
          checked ? icon("check", 16) : null,
        ),
      ),
    ),
  });
}

let toasts = null;

/**
 * Tell something in passing.
 * @param {string} text
 * @param {{label: string, action: () => any}|null} [offer]
 */
export function toast(text, offer = null) {
  toasts ??= h("div", { class: "toasts", role: "status" });
  const place = screen ?? document.body;
  if (toasts.parentNode !== place) place.append(toasts);
  const element = h(
    "div",
    { class: "toast", onclick: () => element.remove() },
    h("span", {}, text),
  );
  if (offer) {
    const act = () => {
      element.remove();
      offer.action();
    };
    append(
      element,
      h("button", { type: "button", class: "button small", onclick: act }, offer.label),
    );
  }
  fill(toasts, [...toasts.children].slice(-2), element);
  setTimeout(() => element.remove(), offer ? 12_000 : 5_000);
}
