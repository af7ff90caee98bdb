// The lines that went by, newest last; one of them may be chosen.

import { h } from "../common/dom.js";
import { t } from "../common/words.js";
import { stamp } from "./parts.js";

const MOST = 500; // rows on the page
const MOST_WAITING = 2000; // while it is paused
const NEAR = 24; // px from the end that count as the end

/**
 * Make the list; `chosen` is called with a line when it is chosen.
 * @param {(line: any) => void} chosen
 */
export function lines(chosen) {
  const list = h("ol", {
    class: "lines", role: "listbox", tabindex: "0", "aria-label": t("op.lines"),
  });
  const none = h("p", { class: "muted empty" }, t("op.no_lines"));
  const element = h("div", { class: "card lines-card" }, none, list);
  let waiting = [];
  let fresh = []; // not on the page yet: they go there once a frame
  let current = null;

  function choose(row) {
    if (!row) return;
    current?.setAttribute("aria-selected", "false");
    current = row;
    row.setAttribute("aria-selected", "true");
    list.setAttribute("aria-activedescendant", row.id);
    row.scrollIntoView({ block: "nearest" });
    chosen(row.line);
  }
  function flush() {
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR;
    list.append(...fresh.map(rowOf));
    fresh = [];
    while (list.children.length > MOST) {
      const first = list.firstElementChild;
      if (first === current) {
        current = null;
        list.removeAttribute("aria-activedescendant");
      }
      first.remove();
    }
    none.hidden = list.children.length > 0;
    if (isAtEnd) list.scrollTop = list.scrollHeight;
  }
  function put(line) {
    if (!fresh.length) requestAnimationFrame(flush);
    fresh.push(line);
    if (fresh.length > MOST) fresh.shift();
  }

  list.addEventListener("click", (event) => choose(event.target.closest("[role=option]")));
  list.addEventListener("keydown", (event) => {
    const row = {
      ArrowDown: current ? current.nextElementSibling : list.firstElementChild,
      ArrowUp: current ? current.previousElementSibling : list.lastElementChild,
      Home: list.firstElementChild,
      End: list.lastElementChild,
    }[event.key];
    if (row === undefined) return;
    event.preventDefault();
    choose(row);
  });

  return {
    element,
    /** Show a line, or keep it for later. */
    add(line, isPaused) {
      if (!isPaused) {
        put(line);
        return;
      }
      waiting.push(line);
      if (waiting.length > MOST_WAITING) waiting.shift();
    },
    waiting: () => waiting.length,
    showWaiting() {
      waiting.forEach(put);
      waiting = [];
    },
    clear() {
      [waiting, fresh, current] = [[], [], null];
      list.replaceChildren();
      list.removeAttribute("aria-activedescendant");
      none.hidden = false;
    },
  };
}

let made = 0;

function rowOf(line) {
  made += 1;
  const isIn = line.way === "in";
  const row = h("li", {
    id: `line-${made}`, role: "option", class: `line ${line.way}`, "aria-selected": "false",
  },
  h("span", { class: "when" }, stamp(line.at).slice(11)),
  h("span", { class: "whose" }, line.uin === null ? "–" : String(line.uin)),
  h("span", { class: "arrow", role: "img", "aria-label": t(isIn ? "op.in" : "op.out") },
    isIn ? "→" : "←"),
  h("code", { dir: "ltr" }, line.line));
  row.line = line;
  return row;
}
