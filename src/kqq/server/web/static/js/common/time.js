// Dates as people read them, in the language of the page. Dates are milliseconds since 1970.

import { language } from "./words.js";

const locale = () => (language() === "zh" ? "zh-CN" : "en-GB");

/** The time of day, such as 20:07. */
export function clock(date) {
  return new Date(date).toLocaleTimeString(locale(), { hour: "2-digit", minute: "2-digit" });
}

/** The day, with its year where that is not this one. */
export function day(date, now = Date.now()) {
  const isThisYear = new Date(date).getFullYear() === new Date(now).getFullYear();
  const year = isThisYear ? undefined : "numeric";
  return new Date(date).toLocaleDateString(locale(), { day: "numeric", month: "long", year });
}

/** Day and time. */
export function moment(date) {
  return `${day(date)} ${clock(date)}`;
}

const STEPS = [
  ["minute", 60],
  ["hour", 3600],
  ["day", 86400],
];

/** How long ago it was, in words: "5 minutes ago". */
export function ago(date, now = Date.now()) {
  const seconds = Math.max(0, (now - date) / 1000);
  const words = new Intl.RelativeTimeFormat(locale(), { numeric: "auto" });
  if (seconds < 60) return words.format(0, "second");
  const [unit, size] = STEPS.findLast(([, length]) => seconds >= length);
  return words.format(-Math.floor(seconds / size), unit);
}
