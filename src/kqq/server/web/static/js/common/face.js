// Faces: pictures drawn from the number that people have chosen. All drawings are our own.
//
// The protocol's code is three times what the picture is. There are 96 pictures: eight creatures,
// each in twelve colours, each with eyes and a mouth of its own. Code 0, which everybody has who
// chose none, shows the first sign of the nickname, so that people still look different.

import { h } from "./dom.js";

const STEP = 3;
const PICTURES = 96;
/** Skin, its shade, and what is behind. */
const COLOURS = [
  ["#f4b860", "#d9913a", "#fdeacb"],
  ["#7cc6a4", "#4b9c7a", "#d9f2e6"],
  ["#8fb8f0", "#5c8ad0", "#e0ebfb"],
  ["#f29a9a", "#cf6a6f", "#fce3e1"],
  ["#b9a3e8", "#8e74c9", "#ebe4fa"],
  ["#a8c860", "#7d9c3a", "#ecf3d6"],
  ["#f0a3cf", "#cc76a9", "#fbe4f1"],
  ["#d2a679", "#a97c50", "#f3e6d8"],
  ["#76c8d6", "#4498a8", "#d8f1f5"],
  ["#c9ced6", "#959dab", "#eef0f4"],
  ["#f6d35b", "#d0a92c", "#fdf5cf"],
  ["#e88b5a", "#bf6336", "#fbe1d3"],
];
const INK = "#26302d";
/** Grounds for signs, dark enough for white ones. */
const GROUNDS = [
  "#0b6b58",
  "#1d5fa8",
  "#8a3f8f",
  "#a8432f",
  "#7a5600",
  "#2e6b2e",
  "#5a4bb0",
  "#a02e5e",
  "#3c6173",
  "#6d4c33",
];

/**
 * Draw a face. It says nothing to screen readers: the name stands beside it.
 * @param {number|null|undefined} number the protocol's code
 * @param {string} [nick]
 * @returns {SVGElement}
 */
export function face(number, nick = "") {
  const code = Number.isSafeInteger(number) && number > 0 ? number : 0;
  const [ground, ...parts] = code < STEP ? initial(nick) : creature(Math.floor(code / STEP));
  return h(
    "svg",
    { class: "face", viewBox: "0 0 48 48", "aria-hidden": "true", focusable: "false" },
    h("rect", { width: 48, height: 48, rx: 15, fill: ground }),
    parts,
  );
}

/** The first sign of a nickname that can be seen, on a ground that the nickname decides. */
function initial(nick) {
  const sign = firstSign(nick);
  let sum = 7;
  for (const each of nick) sum = (sum * 31 + each.codePointAt(0)) % 65_521;
  const ground = GROUNDS[sum % GROUNDS.length];
  if (!sign) {
    return [
      ground,
      h("circle", { cx: 24, cy: 19, r: 7.5, fill: "#fff" }),
      h("path", { d: "M9 41a15 13 0 0 1 30 0z", fill: "#fff" }),
    ];
  }
  const text = h(
    "text",
    { x: 24, y: 32.2, "text-anchor": "middle", "font-size": 23, "font-weight": 600, fill: "#fff" },
    sign.toLocaleUpperCase(),
  );
  return [ground, text];
}

function firstSign(nick) {
  const segmenter = globalThis.Intl?.Segmenter ? new Intl.Segmenter() : null;
  const head = nick.slice(0, 64); // a nickname may have marks without end
  const signs = segmenter ? [...segmenter.segment(head)].map((one) => one.segment) : [...head];
  const found =
    signs.find((sign) => /[\p{L}\p{N}\p{S}\p{Extended_Pictographic}]/u.test(sign)) ?? "";
  return found.length > 8 ? [...found][0] : found;
}

function creature(picture) {
  const place = picture % PICTURES;
  const [skin, shade, ground] = COLOURS[place % COLOURS.length];
  const kind = Math.floor(place / COLOURS.length);
  const mix = (place * 7 + kind * 3) % 25;
  return [
    ground,
    EARS[kind](skin, shade),
    h("path", { d: HEADS[kind], fill: skin }),
    MARKS[kind](skin, shade),
    EYES[mix % EYES.length](),
    MOUTHS[Math.floor(mix / 5) % MOUTHS.length](),
  ];
}

const draw = (d, fill, more = {}) => h("path", { d, fill, ...more });
const stroke = (d, width = 2.2, colour = INK) =>
  h("path", {
    d,
    fill: "none",
    stroke: colour,
    "stroke-width": width,
    "stroke-linecap": "round",
    "stroke-linejoin": "round",
  });
const dot = (cx, cy, r, fill = INK) => h("circle", { cx, cy, r, fill });
const oval = (cx, cy, rx, ry, fill) => h("ellipse", { cx, cy, rx, ry, fill });

const ROUND = "M24 11c9.5 0 15.5 6.5 15.5 15S33.5 42 24 42 8.5 34.5 8.5 26 14.5 11 24 11z";
const BROAD = "M24 13c11 0 17 6 17 14.500S34.5 42 24 42 7 36 7 27.5 13 13 24 13z";
const TALL = "M24 8c8.5 0 14 7 14 17.500S32.5 43 24 43 10 36 10 25.5 15.5 8 24 8z";
const BOX = "M15 12h18a6 6 0 0 1 6 6v16a6 6 0 0 1-6 6H15a6 6 0 0 1-6-6V18a6 6 0 0 1 6-6z";
const DROP = "M24 6c5 6 15 11 15 21.500C39 36 33 42 24 42S9 36 9 27.500C9 17 19 12 24 6z";

/** Cat, bear, rabbit, robot, frog, chick, ghost, imp. */
const HEADS = [
  BROAD,
  ROUND,
  ROUND,
  BOX,
  BROAD,
  ROUND,
  "M24 8c9 0 15 6.5 15 16v18l-5-3.5-5 3.5-5-3.5-5 3.5-5-3.5-5 3.500V24c0-9.5 6-16 15-16z",
  DROP,
];
const EARS = [
  (skin, shade) => [
    draw("M9 24 10 6l12 8zM39 24 38 6l-12 8z", skin),
    draw("M12.5 18 13 11l5 4zM35.5 18 35 11l-5 4z", shade),
  ],
  (skin, shade) => [
    dot(12.5, 14, 6.5, skin),
    dot(35.5, 14, 6.5, skin),
    dot(12.5, 14, 3.2, shade),
    dot(35.5, 14, 3.2, shade),
  ],
  (skin, shade) => [
    oval(17, 11, 4.5, 10, skin),
    oval(31, 11, 4.5, 10, skin),
    oval(17, 11, 2, 6.5, shade),
    oval(31, 11, 2, 6.5, shade),
  ],
  (skin, shade) => [
    stroke("M24 12V6", 2.4, shade),
    dot(24, 5.5, 2.8, shade),
    draw("M5 21h5v10H5zM38 21h5v10h-5z", shade),
  ],
  (skin) => [
    dot(15, 15, 7, skin),
    dot(33, 15, 7, skin),
    dot(15, 13.5, 3.2, "#fff"),
    dot(33, 13.5, 3.2, "#fff"),
  ],
  (skin, shade) => [
    draw("M24 13c-4-3-4-7-1-9 0 2 1 3 2.5 3.500C25.5 6 27 5 29 5c0 4-2 7-5 8z", shade),
  ],
  () => [],
  (skin, shade) => [
    draw("M11 22C6 19 6 11 8 7c2 5 6 7 9 8zM37 22c5-3 5-11 3-15-2 5-6 7-9 8z", shade),
  ],
];
const MARKS = [
  (skin, shade) => [
    stroke("M5 27l6 1M5 32l6-.5M43 27l-6 1M43 32l-6-.5", 1.3, shade),
    draw("M22 28.500h4l-2 2.500z", shade),
  ],
  (skin, shade) => [oval(24, 32.5, 7.5, 6, "#fff8ee"), draw("M21.5 28.800h5l-2.5 3z", shade)],
  (skin, shade) => [dot(14.5, 31, 2.7, shade), dot(33.5, 31, 2.7, shade)],
  (skin) => [
    draw("M13 18h22v9H13z", "#fff", { opacity: 0.75 }),
    stroke("M13 36h0M35 36h0", 2, skin),
  ],
  (skin, shade) => [dot(22, 27.5, 0.9, shade), dot(26, 27.5, 0.9, shade)],
  () => [draw("M19.5 28.500h9L24 33z", "#e2711d")],
  (skin, shade) => [dot(15, 29.5, 2.5, shade), dot(33, 29.5, 2.5, shade)],
  (skin, shade) => [stroke("M21 13c1 2 5 2 6 0", 1.5, shade)],
];
const EYES = [
  () => [dot(17.5, 23.5, 2.4), dot(30.5, 23.5, 2.4)],
  () => [stroke("M14.5 24.500c1.5-3 4.5-3 6 0M27.5 24.500c1.5-3 4.5-3 6 0")],
  () => [
    oval(17.5, 23.5, 2.2, 3.1, INK),
    oval(30.5, 23.5, 2.2, 3.1, INK),
    dot(18.3, 22.3, 0.8, "#fff"),
    dot(31.3, 22.3, 0.8, "#fff"),
  ],
  () => [dot(17.5, 23.5, 2.4), stroke("M27.5 23.800h6")],
  () => [
    h(
      "g",
      { fill: "#fff", stroke: INK, "stroke-width": 1.7 },
      h("circle", { cx: 17, cy: 23.5, r: 4.5 }),
      h("circle", { cx: 31, cy: 23.5, r: 4.5 }),
      h("path", { d: "M21.5 23h5" }),
    ),
    dot(17, 23.5, 1.6),
    dot(31, 23.5, 1.6),
  ],
];
const MOUTHS = [
  () => stroke("M19.5 34c2 3 7 3 9 0", 2),
  () => [
    draw("M19 33.500h10c0 6-10 6-10 0z", INK),
    draw("M21.5 36.500c1.5-1 3.5-1 5 0-1 1.8-4 1.8-5 0z", "#e86a6a"),
  ],
  () => stroke("M20 35.500h8", 2),
  () => oval(24, 35.5, 2, 2.5, INK),
  () => stroke("M18.5 33.500c.5 3 5 3 5.5 0 .5 3 5 3 5.5 0", 1.9),
];
