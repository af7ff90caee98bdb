// Our own drawings, in lines.

import { h } from "../common/dom.js";

const PATHS = {
  profile: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8M4.5 20c.6-3.6 3.6-5.5 7.5-5.5s6.9 1.9 7.5 5.5",
  reach: "M4 5h16v11H9.5L5 19.5V16H4zM8.5 9h7M8.5 12h4.5",
  phones: "M8 2.5h8a1 1 0 0 1 1 1v17a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1v-17a1 1 0 0 1 1-1"
    + "M9.5 5.5h5v5h-5zM9.5 13.5h.01M12 13.5h.01M14.5 13.5h.01M9.5 16h.01M12 16h.01"
    + "M14.5 16h.01M9.5 18.5h.01M12 18.5h.01M14.5 18.5h.01",
  sessions: "M3 5h18v11.5H3zM8.5 20h7M12 16.5V20",
  why: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M9.3 9.3a2.7 2.7 0 1 1 3.7 2.7"
    + "c-.7.3-1 .8-1 1.5v.4M12 16.8h.01",
  password: "M8 15a4.5 4.5 0 1 1 4.2-6H21v3h-2v3h-3v-3h-3.8A4.5 4.5 0 0 1 8 15M8 10.5h.01",
  leave: "M12 3v11M8 10.5 12 14.5l4-4M4 15.5V20h16v-4.5",
  chat: "M4 5h16v11H9.5L5 19.5V16H4z",
  light: "M12 16.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2"
    + "M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M18.7 5.3l-1.4 1.4M6.7 17.3l-1.4 1.4",
  dark: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5",
  auto: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M12 3v18M12 6l7 0M12 9l8.5 0M12 12l9 0M12 15l8.5 0"
    + "M12 18l7 0",
  browser: "M3 5h18v14H3zM3 9h18M6 7h.01M8.5 7h.01",
  operator: "M12 3l7.5 3v5.5c0 4.5-3 8-7.5 9.5-4.5-1.5-7.5-5-7.5-9.5V6zM9 12l2.2 2.2L15.5 10",
  out: "M10 4H5v16h5M14 8l4 4-4 4M18 12H9",
};

/** Return a drawing by its name; it says nothing to who listens. */
export function icon(name) {
  return h(
    "svg",
    {
      class: "icon",
      viewBox: "0 0 24 24",
      width: 22,
      height: 22,
      fill: "none",
      stroke: "currentColor",
      "stroke-width": 1.6,
      "stroke-linecap": "round",
      "stroke-linejoin": "round",
      "aria-hidden": "true",
    },
    h("path", { d: PATHS[name] }),
  );
}
