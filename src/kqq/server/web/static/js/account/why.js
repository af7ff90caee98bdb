// Why could my phone not sign in? What the server has seen of it, step by step, in words.

import { api } from "../common/api.js";
import { day } from "../common/time.js";
import { language, t } from "../common/words.js";
import { button, el } from "./live.js";
import { date, load, part } from "./parts.js";

const FIRST = 5; // steps that are kept of how an attempt began; what is left out stood after them
const GOOD = new Set(["signed_in", "captcha_right"]);
const PLAIN = new Set(["connected", "disconnected", "signed_out", "closed"]);

/** The time of day with its seconds: steps follow one another quickly. */
const exactly = (seconds) =>
  new Date(date(seconds)).toLocaleTimeString(language() === "zh" ? "zh-CN" : "en-GB");

/**
 * Say a step in words, with how often and since when; of a newer server's, its name and details.
 * @param {any} taken
 */
export function stepText({ step, details, count, first, last }) {
  const said = Object.entries(details).map(([name, value]) => {
    const key = `detail.${value}`;
    return [name, t(key) === key ? value : t(key)];
  });
  const known = t(`step.${step}`, Object.fromEntries(said));
  const text = known === `step.${step}`
    ? [step, ...Object.entries(details).map(([name, value]) => `${name}=${value}`)].join(" ")
    : known;
  if (count === 1) return text;
  const isToday = day(date(first)) === day(date(last));
  const since = isToday ? exactly(first) : `${day(date(first))} ${exactly(first)}`;
  return `${text} ${t("why.times", { count, since })}`;
}

const tone = (step) => (GOOD.has(step) ? "good" : PLAIN.has(step) ? "plain" : "bad");
const remedy = (step) => {
  const key = `remedy.${step}`;
  return t(key) === key ? "" : t(key);
};

const BADGES = { good: "quiet", bad: "bad", plain: "quiet" };
const gap = (words) => el("li", { class: "step gap muted" }, words);

/** @param {any} account */
export function why(account) {
  const place = el("div", { class: "stack" });
  const refresh = () => load(account, place, () => api.get("/api/me/why"), draw);
  const element = part(
    "why",
    el("p", { class: "muted" }, () => t("why.words")),
    place,
  );

  function draw({ attempts, advice, signed_in: isSignedIn }) {
    const head = isSignedIn
      ? el("div", { class: "note good advice-now" }, el("h2", {}, () => t("why.signed_in")),
        el("p", {}, () => t("why.signed_in_words")))
      : advice && el("div", { class: "note warn advice-now" }, el("h2", {}, () => t("why.advice")),
        el("p", {}, () => advice[language()] ?? advice.en));
    const newest = attempts.toReversed();
    const phones = newest.filter((one) => one.over !== "web");
    const browsers = newest.filter((one) => one.over === "web");
    return [
      head,
      el("div", { class: "line-up" },
        el("h2", { class: "spread" }, () => t("why.attempts")),
        button("why.refresh", refresh, "small")),
      phones.length === 0 && el("p", { class: "card muted" }, () => t("why.none")),
      phones.map(attempt),
      browsers.length > 0
        && el("details", { class: "browsers" },
          el("summary", {}, () => t("why.browsers", { count: browsers.length })),
          el("div", { class: "stack" }, browsers.map(attempt))),
    ];
  }

  function attempt(one, at) {
    const { address, port, door, over, begun, connections, left_out: leftOut, steps } = one;
    const isIn = one.signed_in;
    const host = address.includes(":") ? `[${address}]` : address;
    const last = steps.findLast(({ step }) => tone(step) !== "plain") ?? steps.at(-1);
    const outcome = last ? tone(last.step) : "plain";
    let shown = "";
    const lines = steps.flatMap((taken, position) => {
      const found = [];
      if (position === FIRST && leftOut > 0) {
        found.push(gap(() => t("why.left_out", { count: leftOut })));
      }
      const today = day(date(taken.last));
      if (shown && today !== shown) {
        found.push(gap(() => day(date(taken.last))));
      }
      shown = today;
      found.push(
        el(
          "li",
          { class: `step ${tone(taken.step)}` },
          el("time", { class: "muted", datetime: new Date(date(taken.last)).toISOString() },
            () => exactly(taken.last)),
          el("div", {},
            el("span", {}, () => stepText(taken)),
            taken === last && !isIn && remedy(taken.step)
              && el("p", { class: "hint" }, () => remedy(taken.step))),
        ),
      );
      return found;
    });
    return el(
      "details",
      { class: "card attempt", open: at === 0 },
      el("summary", {},
        el("span", { class: "name" }, () => `${day(date(begun))} ${exactly(begun)}`),
        " ",
        el("span", { class: `badge ${isIn ? "good" : BADGES[outcome]}` },
          () => t(isIn ? "why.is_in" : `why.outcome_${outcome}`)),
        el("span", { class: "muted small-text from" },
          () => t("why.from", { host, port, over: over.toUpperCase(), door }),
          connections > 1 && [" · ", () => t("why.connections", { count: connections })])),
      el("ol", { class: "steps" }, lines),
    );
  }

  return { name: "why", element, enter: refresh };
}
