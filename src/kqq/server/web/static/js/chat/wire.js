// The wire drawer: each line as it goes, and the chosen one field by field.

import { append, fill, h } from "../common/dom.js";
import { t } from "../common/words.js";
import { explain } from "../kqq/explain.js";
import { copyText } from "../common/copy.js";
import { button, iconButton, toast } from "./dialog.js";
import { icon } from "./icons.js";
import { isWanted } from "./lines.js";
import { laidOpen } from "./names.js";

const LONGEST_SHOWN = 600;
const SURE = ["A", "B", "C", "D"];

/** The drawer. It listens from the beginning, and draws while it is open. */
export class Wire {
  /**
   * @param {import("./lines.js").Lines} lines
   * @param {any} catalogue
   * @param {() => any} close
   */
  constructor(lines, catalogue, close) {
    this.lines = lines;
    this.catalogue = catalogue;
    this.closeDrawer = close;
    this.filter = { words: "", way: null };
    this.isPaused = false;
    this.chosen = null;
    this.items = new Map();
    this.list = h("ul", { class: "list wire-lines", onkeydown: (event) => this.#pressed(event) });
    this.scroller = h("div", { class: "wire-scroller" }, this.list);
    this.none = h("p", { class: "muted empty" });
    this.explained = h("section", { class: "explained", tabindex: "-1" });
    this.head = h("header", { class: "bar" });
    this.tools = h("div", { class: "wire-tools" });
    this.element = h(
      "aside",
      { class: "wire pane", hidden: true },
      this.head,
      this.tools,
      this.scroller,
      this.explained,
    );
    append(this.scroller, this.none);
    lines.addEventListener("line", ({ detail }) => this.#take(detail));
    lines.addEventListener("gone", ({ detail }) => this.#drop(detail));
  }

  /** Whether it can be seen. */
  get isOpen() {
    return !this.element.hidden;
  }

  /** Open or close it. */
  show(isOpen) {
    this.element.hidden = !isOpen;
    if (isOpen) this.redraw();
    else this.#forget();
  }

  /** Draw all of it. */
  redraw() {
    if (!this.isOpen) return;
    this.element.setAttribute("aria-label", t("wire.title"));
    this.list.setAttribute("aria-label", t("wire.lines"));
    this.none.textContent = t("wire.nothing");
    this.#drawHead();
    this.#drawTools();
    this.#drawLines();
    this.#explain();
  }

  #drawHead() {
    fill(
      this.head,
      h("h2", { class: "spread cut" }, t("wire.title")),
      this.#pauseButton(),
      iconButton("copy", t("wire.copy_all"), () => this.#copyAll()),
      iconButton("close", t("wire.close"), this.closeDrawer),
    );
  }

  #pauseButton() {
    const made = iconButton(
      this.isPaused ? "play" : "pause",
      t(this.isPaused ? "wire.go_on" : "wire.pause"),
      () => {
        this.isPaused = !this.isPaused;
        made.replaceWith((this.pause = this.#pauseButton()));
        this.pause.focus();
        if (!this.isPaused) this.#drawLines();
      },
      { "aria-pressed": String(this.isPaused) },
    );
    return made;
  }

  #drawTools() {
    const ways = [null, "out", "in"].map((way) =>
      h(
        "button",
        {
          type: "button",
          class: "button small",
          "aria-pressed": String(this.filter.way === way),
          onclick: (event) => {
            this.filter.way = way;
            for (const one of event.currentTarget.parentNode.children) {
              one.setAttribute("aria-pressed", String(one === event.currentTarget));
            }
            this.#drawLines();
          },
        },
        way && icon(way, 14),
        t(`wire.way_${way ?? "both"}`),
      ),
    );
    const words = h("input", {
      class: "input",
      type: "search",
      value: this.filter.words,
      placeholder: t("wire.filter"),
      "aria-label": t("wire.filter"),
      oninput: () => {
        this.filter.words = words.value.trim();
        this.#drawLines();
      },
    });
    fill(
      this.tools,
      words,
      h("div", { class: "ways", role: "group", "aria-label": t("wire.way") }, ways),
    );
  }

  #take(said) {
    if (!this.isOpen || this.isPaused || !isWanted(said, this.filter)) return;
    const isFollowing = this.#isAtEnd();
    this.list.append(this.#item(said));
    this.none.hidden = true;
    if (isFollowing) this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  #drop(said) {
    if (this.isPaused) return;
    this.items.get(said.count)?.parentNode.remove();
    this.items.delete(said.count);
  }

  #isAtEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    return scrollHeight - clientHeight - scrollTop < 40;
  }

  #forget() {
    this.items.clear();
    fill(this.list);
  }

  #drawLines() {
    this.#forget();
    const wanted = this.lines.all.filter((said) => isWanted(said, this.filter));
    this.list.append(...wanted.map((said) => this.#item(said)));
    this.none.hidden = wanted.length > 0;
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.#mark();
  }

  #item(said) {
    const { way, command, rest, at, count } = said;
    const time = new Date(at);
    const clock = time.toTimeString().slice(0, 8);
    const made = h(
      "button",
      {
        type: "button",
        class: `row wire-line ${way}`,
        tabindex: this.items.size ? "-1" : "0",
        "data-count": count,
        onclick: () => this.choose(said),
      },
      h("span", { class: "way" }, icon(way, 14)),
      h("span", { class: "visually-hidden" }, t(`wire.way_${way}`)),
      h("time", { datetime: time.toISOString() }, clock),
      h("span", { class: "command" }, laidOpen(command.slice(0, 40))),
      h("span", { class: "rest cut mono", dir: "ltr" }, laidOpen(rest.slice(0, 160))),
    );
    this.items.set(count, made);
    return h("li", {}, made);
  }

  /** Explain a line, none with null. */
  choose(said) {
    this.chosen = said;
    this.#mark();
    this.#explain();
  }

  #mark() {
    for (const [count, item] of this.items) {
      const isChosen = count === this.chosen?.count;
      if (isChosen) item.setAttribute("aria-current", "true");
      else item.removeAttribute("aria-current");
    }
    const all = [...this.items.values()];
    const stop = this.items.get(this.chosen?.count) ?? all.at(-1);
    for (const item of all) item.tabIndex = item === stop ? 0 : -1;
  }

  #pressed(event) {
    const all = [...this.items.entries()];
    const place = all.findIndex(([, item]) => item === document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (place < 0 || !step) return;
    event.preventDefault();
    const [count, item] = all[place + step] ?? all[place];
    item.focus();
    this.choose(this.lines.all.find((said) => said.count === count) ?? this.chosen);
  }

  #explain() {
    this.explained.hidden = this.chosen === null;
    if (this.chosen === null) return;
    const { way, line } = this.chosen;
    const told = explain(line, way, this.catalogue);
    const kind = ["request", "reply", "push"].includes(told.kind) ? told.kind : "unreadable";
    this.explained.setAttribute("aria-label", t("wire.explained"));
    fill(
      this.explained,
      h(
        "div",
        { class: "line-up" },
        h("h3", { class: "spread" }, laidOpen(told.command.slice(0, 40)) || t("wire.no_command")),
        h("span", { class: `badge ${kind === "unreadable" ? "bad" : "quiet"}` }, t(`wire.${kind}`)),
        button(t("wire.copy"), () => this.#copy(line), "small"),
      ),
      told.words && h("p", { class: "muted small-text", lang: "en" }, told.words),
      told.wrong.length > 0 &&
        h("p", { class: "wrong" }, t("wire.wrong", { keys: told.wrong.join(", ") })),
      h("p", { class: "mono raw", dir: "ltr" }, shortened(line)),
      this.#fields(told.fields),
    );
    this.explained.scrollTop = 0;
  }

  #fields(fields) {
    const heads = ["key", "value", "meaning", "sure"].map((name) =>
      h("th", { scope: "col" }, t(`wire.${name}`)),
    );
    const rows = fields.map((field) =>
      h(
        "tr",
        { class: field.name ? "" : "unknown" },
        h("th", { scope: "row", class: "mono" }, laidOpen(field.key.slice(0, 40))),
        h("td", { class: "mono value" }, field.secret ? t("wire.secret") : shortened(field.shown)),
        h("td", { lang: "en" }, field.meaning || t("wire.unknown_field")),
        h("td", {}, this.#sure(field)),
      ),
    );
    return h(
      "table",
      { class: "table fields" },
      h("thead", {}, h("tr", {}, heads)),
      h("tbody", {}, rows),
    );
  }

  /** How sure a meaning is, and who says so. */
  #sure({ sure, sources }) {
    const words = this.catalogue.confidence?.[sure] ?? "";
    const said = sources.map((key) => `${key}: ${this.catalogue.sources?.[key] ?? ""}`);
    const kind = { A: "good", B: "good", C: "warn", D: "warn" }[sure] ?? "quiet";
    const title = [words, ...said].filter(Boolean).join("\n");
    return h(
      "span",
      { class: `badge ${kind}`, title },
      SURE.includes(sure) ? sure : "?",
      h("span", { class: "visually-hidden", lang: "en" }, ` ${words} ${sources.join(" ")}`),
    );
  }

  async #copy(text) {
    toast(t((await copyText(text)) ? "wire.copied" : "chat.not_copied"));
  }

  #copyAll() {
    const wanted = this.lines.all.filter((said) => isWanted(said, this.filter));
    const arrow = { out: ">", in: "<" };
    const text = wanted.map(
      ({ at, way, line }) => `${new Date(at).toISOString()} ${arrow[way]} ${line}`,
    );
    return this.#copy(`${text.join("\n")}\n`);
  }
}

function shortened(text) {
  const shown = laidOpen(text.slice(0, LONGEST_SHOWN));
  return text.length > LONGEST_SHOWN ? `${shown}…` : shown;
}
