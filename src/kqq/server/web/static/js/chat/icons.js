// Small drawings for buttons, of lines, in the colour of the text. They say nothing by themselves:
// the button has a name.

import { h } from "../common/dom.js";

const PATHS = {
  add:
    "M9.5 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM3 20c0-3.5 3-6 6.5-6 1.3 0 2.5.3 3.5.9" +
    "M18 13v7M14.5 16.5h7",
  back: "M15 5l-7 7 7 7",
  bell: "M6 17V11a6 6 0 0 1 12 0v6l1.5 2h-15zM10 21h4",
  check: "M5 12.500l4.5 4.500L19 7.5",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3.5 2",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h10v11H9zM6 15H5V4h10v2",
  down: "M12 5v14M6 13l6 6 6-6",
  gear:
    "M4 7h9M19 7h1M4 17h1M11 17h9M16 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z" +
    "M8 19.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  in: "M12 4v15M6 13l6 6 6-6",
  keys: "M4 6h16v12H4zM8 10h.01M12 10h.01M16 10h.01M8 14h8",
  more: "M12 6v.01M12 12v.01M12 18v.01",
  out: "M12 20V5M6 11l6-6 6 6",
  pause: "M9 6v12M15 6v12",
  person: "M12 11.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.500c0-4 3.4-6.5 7.5-6.5s7.5 2.5 7.5 6.5",
  phone:
    "M8 3h8a1.5 1.5 0 0 1 1.5 1.5v15A1.5 1.5 0 0 1 16 21H8a1.5 1.5 0 0 1-1.5-1.5" +
    "v-15A1.5 1.5 0 0 1 8 3z" +
    "M9.5 6h5v5h-5zM10 14h.01M14 14h.01M10 17.500h.01M14 17.500h.01M12 14h.01" +
    "M12 17.500h.01",
  play: "M8 5.500v13l10.5-6.5z",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16.2 16.200L21 21",
  send: "M4 12l16-7.5-5 15.5-3.5-6.5zM11.5 13.500L20 4.5",
  trash: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13",
  warn: "M12 4l9 16H3zM12 10v4.500M12 17.500v.01",
  wire: "M3 8h13M12.5 4.500L16 8l-3.5 3.500M21 16H8M11.5 12.500L8 16l3.5 3.5",
};

/**
 * Draw one.
 * @param {keyof typeof PATHS} name
 * @param {number} [size] in pixels
 * @returns {SVGElement}
 */
export function icon(name, size = 20) {
  return h(
    "svg",
    {
      class: "drawing",
      viewBox: "0 0 24 24",
      width: size,
      height: size,
      fill: "none",
      stroke: "currentColor",
      "stroke-width": name === "more" ? 2.8 : 1.8,
      "stroke-linecap": "round",
      "stroke-linejoin": "round",
      "aria-hidden": "true",
      focusable: "false",
    },
    h("path", { d: PATHS[name] }),
  );
}
