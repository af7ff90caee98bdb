// The drawing of the phone: what it is made of, and where its keys are. Of no maker.

import { fill, h } from "../common/dom.js";

const LETTERS = {
  2: "abc",
  3: "def",
  4: "ghi",
  5: "jkl",
  6: "mno",
  7: "pqrs",
  8: "tuv",
  9: "wxyz",
  0: "␣",
  1: ".,?",
  "*": "+",
  "#": "Aa",
};
const ROWS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];

/**
 * Make the phone. `press` is told of each key that is pressed, `hold` of those that are held for
 * `held` milliseconds.
 * @param {(key: string) => any} press
 * @param {(key: string) => any} hold
 * @param {number} held
 */
export function handsetElement(press, hold, held) {
  /** @type {Map<string, HTMLElement>} */
  const keys = new Map();
  const key = (name, kind, ...children) => {
    const made = keyElement(name, kind, children, press, hold, held);
    keys.set(name, made);
    return made;
  };
  const top = h("div", { class: "screen-top", "aria-hidden": "true" });
  const place = h("div", { class: "screen-place" });
  const labels = h("div", { class: "soft-labels", "aria-hidden": "true" });
  const screen = h("div", { class: "screen" }, top, place, labels);
  const keyboard = h(
    "section",
    { class: "keyboard" },
    h(
      "div",
      { class: "keys-top" },
      key("left", "soft", h("i")),
      key("call", "call", receiver(false)),
      h(
        "div",
        { class: "pad" },
        key("up", "north", arrow("M3 11l5-5 5 5")),
        key("west", "west", arrow("M11 3L6 8l5 5")),
        key("ok", "centre"),
        key("east", "east", arrow("M5 3l5 5-5 5")),
        key("down", "south", arrow("M3 5l5 5 5-5")),
      ),
      key("right", "soft right", h("i")),
      key("end", "end", receiver(true)),
    ),
    h(
      "div",
      { class: "numbers" },
      ROWS.map((name) => key(name, "number", h("b", {}, name), h("small", {}, LETTERS[name]))),
    ),
  );
  const element = h(
    "div",
    { class: "handset" },
    h(
      "div",
      { class: "phone" },
      h("div", { class: "earpiece", "aria-hidden": "true" }),
      h("div", { class: "glass" }, screen),
      keyboard,
    ),
  );
  // Who presses a key stays where the cursor is.
  element.addEventListener("pointerdown", (event) => {
    if (event.target.closest(".key")) event.preventDefault();
  });
  return { element, place, labels, keyboard, keys, drawTop: (what) => drawTop(top, what) };
}

function keyElement(name, kind, children, press, hold, held) {
  let timer = 0;
  let wasHeld = false;
  const begin = () => {
    wasHeld = false;
    clearTimeout(timer);
    timer = setTimeout(() => {
      wasHeld = true;
      hold(name);
    }, held);
  };
  const isNumber = kind === "number";
  return h(
    "button",
    {
      type: "button",
      class: `key ${kind}`,
      tabindex: kind.startsWith("soft") ? null : "-1",
      onpointerdown: isNumber ? begin : null,
      onpointerup: () => clearTimeout(timer),
      onpointerleave: () => clearTimeout(timer),
      onclick: () => {
        if (!wasHeld) press(name);
        wasHeld = false;
      },
    },
    children,
  );
}

function arrow(d) {
  return h(
    "svg",
    { viewBox: "0 0 16 16", "aria-hidden": "true" },
    h("path", { d, fill: "none", stroke: "currentColor", "stroke-width": 2.2 }),
  );
}

function receiver(isDown) {
  const turn = isDown ? "rotate(135 12 12)" : "";
  const d =
    "M5 4c3-2 4 1 5 3 0 1-1 2-1.5 2.5 1 2.5 3 4.5 5 5.5" + "l2-1.5c2 0 5 2 3.5 4.5C14 22 2 12 5 4z";
  return h(
    "svg",
    { viewBox: "0 0 24 24", "aria-hidden": "true" },
    h("path", { d, fill: "currentColor", transform: turn }),
  );
}

/** Draw the top of the screen: field strength, letters, how one writes, time, battery. */
function drawTop(top, { isOnline, unread, mode, time }) {
  const bars = [3, 5, 7, 9].map((height, at) =>
    h("rect", {
      x: at * 4,
      y: 10 - height,
      width: 3,
      height,
      fill: "currentColor",
      opacity: isOnline ? 1 : 0.25,
    }),
  );
  const letter = [
    h("rect", { x: 0.5, y: 1.5, width: 12, height: 8, fill: "none", stroke: "currentColor" }),
    h("path", { d: "M1 2l5.5 4.5L12 2", fill: "none", stroke: "currentColor" }),
  ];
  const battery = [
    h("rect", { x: 0.5, y: 1.5, width: 15, height: 8, fill: "none", stroke: "currentColor" }),
    h("rect", { x: 16, y: 4, width: 2, height: 3, fill: "currentColor" }),
    h("rect", { x: 2, y: 3, width: 9, height: 5, fill: "currentColor" }),
  ];
  const draw = (width, parts) => h("svg", { viewBox: `0 0 ${width} 11` }, parts);
  fill(
    top,
    draw(16, bars),
    unread ? [draw(13, letter), h("span", {}, unread)] : null,
    h("span", { class: "spread" }),
    mode && h("span", { class: "mode" }, mode),
    h("span", {}, time),
    draw(18, battery),
  );
}
