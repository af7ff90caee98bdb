// A chart of lines over time: axes, what a pointer or the keyboard is at, and the figures as a
// table.

import { fill, h } from "../common/dom.js";
import { clock } from "../common/time.js";
import { t } from "../common/words.js";
import { card, milliseconds, number, table } from "./parts.js";
import { hours, marks, means, nearest, path } from "./scale.js";

const HEIGHT = 190;
const EDGE = { left: 46, right: 12, top: 12, bottom: 26 };
const ROWS = 24;
const LEAST_WIDTH = 240;

/**
 * Make a chart; `show` has it draw what `trends` gave.
 * @param {object} what
 * @param {string} what.title
 * @param {string} what.unit
 * @param {{key: string, label: string, times?: number}[]} what.lines  `times` multiplies figures
 * @returns {{element: HTMLElement, show: (trends: any, minutes: number) => void}}
 */
export function chart({ title, unit, lines }) {
  const svg = h("svg", { "aria-hidden": "true", focusable: "false" });
  const readout = h("div", { class: "readout", hidden: true });
  const plot = h("div", {
    class: "plot", role: "slider", tabindex: "0", "aria-label": `${title} (${unit})`,
    "aria-orientation": "horizontal", "aria-valuemin": "0",
  }, svg, readout);
  const legend = h("ul", { class: "legend" });
  const rows = h("div", { class: "scroll" });
  const details = h("details", {}, h("summary", {}, t("op.as_table")), rows);
  const element = card(title, h("p", { class: "unit muted" }, unit), legend, plot, details);
  element.classList.add("chart");
  let drawn = null;
  let at = -1;

  const draw = () => {
    if (!drawn || !plot.clientWidth) return;
    drawLines(svg, drawn, lines, Math.max(plot.clientWidth, LEAST_WIDTH));
    point();
  };
  const words = (position) => {
    const said = lines.map(({ label }, index) => `${label} ${shown(drawn.lines[index][position])}`);
    return `${clock(milliseconds(drawn.times[position]))} · ${said.join(" · ")}`;
  };
  const point = () => {
    const { times } = drawn;
    plot.setAttribute("aria-valuemax", String(Math.max(times.length - 1, 0)));
    svg.querySelector(".cursor")?.remove();
    readout.hidden = at < 0 || at >= times.length;
    const position = readout.hidden ? times.length - 1 : at;
    plot.setAttribute("aria-valuenow", String(Math.max(position, 0)));
    plot.setAttribute("aria-valuetext", position < 0 ? t("op.no_figures") : words(position));
    if (readout.hidden) return;
    const x = drawn.x(times[at]);
    const dots = drawn.lines.map((line, index) => known(line[at])
      && h("circle", { cx: x, cy: drawn.y(line[at]), r: 4, class: `line-${index}` }));
    svg.append(h("g", { class: "cursor" },
      h("line", { x1: x, x2: x, y1: EDGE.top, y2: HEIGHT - EDGE.bottom }), dots));
    fill(readout, h("b", {}, clock(milliseconds(times[at]))), lines.map(({ label }, index) =>
      h("div", {}, swatch(index), `${label} ${shown(drawn.lines[index][at])}`)));
    const isRight = x > plot.clientWidth / 2;
    readout.style.setProperty("inset-inline-start", isRight ? "auto" : `${x + 10}px`);
    readout.style.setProperty("inset-inline-end",
      isRight ? `${plot.clientWidth - x + 10}px` : "auto");
  };
  const move = (position) => {
    if (!drawn?.times.length) return;
    at = Math.min(Math.max(position, 0), drawn.times.length - 1);
    point();
  };
  const leave = () => {
    at = -1;
    if (drawn) point();
  };

  plot.addEventListener("pointermove", (event) => {
    if (!drawn) return;
    const x = event.clientX - plot.getBoundingClientRect().left;
    move(nearest(drawn.times, drawn.date(x)));
  });
  plot.addEventListener("pointerleave", leave);
  plot.addEventListener("blur", leave);
  plot.addEventListener("keydown", (event) => {
    const count = drawn?.times.length ?? 0;
    const now = at < 0 ? count - 1 : at;
    const far = Math.ceil(count / 12);
    const to = {
      ArrowLeft: now - 1, ArrowDown: now - 1, ArrowRight: now + 1, ArrowUp: now + 1,
      PageDown: now - far, PageUp: now + far, Home: 0, End: count - 1,
    }[event.key];
    if (event.key === "Escape") leave();
    if (to === undefined) return;
    event.preventDefault();
    move(to);
  });
  const tabulate = () => details.open && drawn && fill(rows, figures(title, drawn, lines));
  details.addEventListener("toggle", tabulate);
  new ResizeObserver(draw).observe(plot);

  return {
    element,
    show(trends, minutes) {
      drawn = prepared(trends, lines, minutes);
      fill(legend, lines.map(({ label }, index) => h("li", {}, swatch(index), `${label} `,
        h("b", {}, shown(drawn.lines[index].findLast(known))))));
      draw();
      tabulate();
    },
  };
}

const known = (value) => value !== null && value !== undefined;
const shown = (value) => (known(value) ? number(value) : "–");

function swatch(index) {
  return h("svg", { class: "swatch", viewBox: "0 0 22 8", "aria-hidden": "true" },
    h("path", { d: "M1,4H21", class: `line-${index}` }));
}

function prepared(trends, lines, minutes) {
  const found = lines.map(({ key, times = 1 }) =>
    (trends.series[key] ?? []).map((value) => (known(value) ? value * times : null)));
  const last = trends.times.at(-1) ?? Date.now() / 1000;
  return { times: trends.times, lines: found, from: last - minutes * 60, to: last };
}

function drawLines(svg, drawn, lines, width) {
  const right = width - EDGE.right;
  const bottom = HEIGHT - EDGE.bottom;
  const highest = drawn.lines.flat().reduce((most, value) => Math.max(most, value ?? 0), 0);
  const levels = marks(highest);
  const scale = (right - EDGE.left) / (drawn.to - drawn.from);
  drawn.x = (date) => EDGE.left + (date - drawn.from) * scale;
  drawn.date = (x) => drawn.from + (x - EDGE.left) / scale;
  drawn.y = (value) => bottom - (value / levels.at(-1)) * (bottom - EDGE.top);
  const offset = -new Date(drawn.to * 1000).getTimezoneOffset() * 60;
  const dates = hours(drawn.from, drawn.to, (right - EDGE.left) / 68, offset);
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  fill(svg,
    h("g", { class: "grid" }, levels.map((level) => h("line",
      { x1: EDGE.left, x2: right, y1: drawn.y(level), y2: drawn.y(level) }))),
    h("g", { class: "axis" },
      levels.map((level) => h("text",
        { x: EDGE.left - 8, y: drawn.y(level) + 4, "text-anchor": "end" }, number(level))),
      dates.map((date) => h("text", {
        x: drawn.x(date), y: HEIGHT - 7, "text-anchor": anchor(drawn.x(date), right),
      }, clock(milliseconds(date)))),
      dates.map((date) => h("line",
        { x1: drawn.x(date), x2: drawn.x(date), y1: bottom, y2: bottom + 4 }))),
    lines.map((_, index) => h("path", {
      d: path(drawn.lines[index], (position) => drawn.x(drawn.times[position]), drawn.y),
      class: `line-${index}`,
    })).reverse());
}

const anchor = (x, right) => (x > right - 18 ? "end" : "middle");

function figures(title, drawn, lines) {
  const columns = [
    { label: t("op.time"), cell: ({ from, to }) => between(from, to) },
    ...lines.map(({ label }, index) => (
      { label, kind: "figure", cell: ({ values }) => shown(values[index]) })),
  ];
  return table(title, columns, means(drawn.times, drawn.lines, ROWS), "figures");
}

function between(from, to) {
  const [start, end] = [clock(milliseconds(from)), clock(milliseconds(to))];
  return start === end ? start : `${start} – ${end}`;
}
