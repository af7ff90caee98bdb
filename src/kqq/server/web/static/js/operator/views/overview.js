// The overview: what the server is, and charts of what it does.

import { ApiError } from "../../common/api.js";
import { fill, h } from "../../common/dom.js";
import { ago } from "../../common/time.js";
import { t } from "../../common/words.js";
import { chart } from "../chart.js";
import {
  badge, card, everySeconds, facts, heading, keepFocus, milliseconds, number, tellIfSignedOut, time,
  trouble,
} from "../parts.js";
import { hash } from "../place.js";
import { read } from "../server.js";

const HOUR = 60;
const DAY = 1440;
const MINUTE = 60;
const KILO = 0.001;

/** Make the view. */
export function overviewView({ signal }) {
  let minutes = HOUR;
  const charts = allCharts();
  const tiles = h("div", { class: "tiles", "aria-busy": "true" });
  const server = h("div");
  const wrong = h("div");
  const look = async () => {
    try {
      const [found, trends] = await Promise.all([read("status"), read("trends", { minutes })]);
      if (signal.aborted) return;
      fill(wrong);
      keepFocus(tiles, () => fill(tiles, figures(found)));
      fill(server, about(found));
      for (const one of charts) one.show(trends, minutes);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (signal.aborted) return;
      if (!wrong.hasChildNodes()) fill(wrong, trouble(error, look)); // said once
      tellIfSignedOut(error);
    }
    tiles.removeAttribute("aria-busy");
  };
  const ranges = [[HOUR, t("op.hour")], [DAY, t("op.day")]].map(([value, words]) =>
    h("button", {
      type: "button", class: "button small", "aria-pressed": String(value === minutes),
      onclick: (event) => {
        minutes = value;
        for (const one of ranges) one.setAttribute("aria-pressed", "false");
        event.currentTarget.setAttribute("aria-pressed", "true");
        look();
      },
    }, words));
  everySeconds(10, look, signal);
  return h("div", { class: "stack" },
    heading(t("op.nav.overview"),
      h("div", { class: "line-up", role: "group", "aria-label": t("op.range") }, ranges)),
    wrong, tiles, h("div", { class: "charts" }, charts.map((one) => one.element)), server);
}

function figures(found) {
  const signedIn = Object.values(found.sessions).reduce((sum, count) => sum + count, 0);
  const tile = (words, value, view = null) => h(view ? "a" : "div",
    { class: "tile", href: view && hash(view), "data-key": `tile-${view}` },
    h("b", {}, value), h("span", {}, words));
  const since = time(found.since, ago(milliseconds(found.since)));
  return [
    tile(t("op.signed_in"), number(signedIn), "sessions"),
    tile(t("op.accounts"), number(found.accounts), "people"),
    tile(t("op.connections"), number(found.connections)),
    tile(t("op.started"), since),
  ];
}

function about(found) {
  return card(t("op.server"), facts([
    [t("op.version"), found.version],
    [t("op.doors"), h("ul", { class: "plain" },
      [...found.doors, ...found.web].map((door) => h("li", {}, h("code", {}, door))))],
    [t("op.advertised"), found.advertise && h("code", {}, found.advertise)],
    [t("op.registration"), registration(found.registration)],
    [t("op.data"), found.data && h("code", {}, found.data)],
  ]));
}

function registration(kind) {
  return badge(t(`op.registration.${kind}`), kind === "open" ? "warn" : "");
}

function allCharts() {
  return [
    chart({
      title: t("op.chart.messages"),
      unit: t("op.per_second"),
      lines: [
        { key: "messages", label: t("op.chart.sent") },
        { key: "delivered", label: t("op.chart.delivered") },
      ],
    }),
    chart({
      title: t("op.chart.sign_ins"),
      unit: t("op.per_minute"),
      lines: [
        { key: "sign_ins", label: t("op.chart.let_in"), times: MINUTE },
        { key: "sign_ins_refused", label: t("op.chart.refused"), times: MINUTE },
      ],
    }),
    chart({
      title: t("op.chart.latency"),
      unit: t("op.milliseconds"),
      lines: [
        { key: "commit_ms", label: t("op.chart.commit") },
        { key: "loop_ms", label: t("op.chart.loop") },
      ],
    }),
    chart({
      title: t("op.chart.sessions"),
      unit: t("op.count"),
      lines: [
        { key: "sessions_tcp", label: "TCP" },
        { key: "sessions_http", label: "HTTP" },
        { key: "sessions_web", label: t("op.chart.web") },
      ],
    }),
    chart({
      title: t("op.chart.connections"),
      unit: t("op.count"),
      lines: [{ key: "connections", label: t("op.chart.open") }],
    }),
    chart({
      title: t("op.chart.traffic"),
      unit: t("op.kilobytes"),
      lines: [
        { key: "bytes_in", label: t("op.chart.in"), times: KILO },
        { key: "bytes_out", label: t("op.chart.out"), times: KILO },
      ],
    }),
  ];
}
