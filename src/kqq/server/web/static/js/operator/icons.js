// Our own drawings for the menu, in lines.

import { h } from "../common/dom.js";

const PATHS = {
  overview: "M4 19V5M4 19H20M8 15L12 10L15 13L20 7",
  people: "M9 11A3.5 3.5 0 1 0 9 4A3.5 3.5 0 0 0 9 11M2.5 20C2.5 16 5.5 14 9 14S15.5 16 15.5 20"
    + "M16 4.5A3.5 3.5 0 0 1 16 11M18 14.5C20.5 15.3 21.5 17.5 21.5 20",
  sessions: "M5 12.5A10 10 0 0 1 19 12.5M8 16A6 6 0 0 1 16 16M2.5 8.5A14 14 0 0 1 21.5 8.5"
    + "M12 19.5V20",
  invitations: "M3 6H21V18H3ZM3 7L12 13.5L21 7",
  announce: "M4 10V14H7L15 19V5L7 10ZM18 9A4 4 0 0 1 18 15",
  diagnosis: "M11 18A7 7 0 1 0 11 4A7 7 0 0 0 11 18M16 16L21 21"
    + "M8 11H10L11 8.5L12.5 13L13.2 11H14.5",
  wire: "M3 8H17M13 4L17 8L13 12M21 16H7M11 12L7 16L11 20",
  limits: "M4 7H12M16 7H20M4 17H8M12 17H20M14 5A2 2 0 1 0 14 9A2 2 0 0 0 14 5"
    + "M10 15A2 2 0 1 0 10 19A2 2 0 0 0 10 15",
  operators: "M8 15A4 4 0 1 0 8 7A4 4 0 0 0 8 15M12 11H21M18 11V15M15 11V13.5",
  deeds: "M6 3H15L19 7V21H6ZM15 3V7H19M9 11H16M9 14.5H16M9 18H13",
  menu: "M4 6.5H20M4 12H20M4 17.5H20",
};

/** Return the drawing of a section, or of the menu. */
export function icon(name) {
  return h("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" },
    h("path", { d: PATHS[name] }));
}
