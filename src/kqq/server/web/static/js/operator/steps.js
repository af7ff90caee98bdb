// What happened at a sign-in, in words, and why somebody is most likely not signed in now. The
// same as kqq.server.journal_words says, for pages that are not English.

import { language, t } from "../common/words.js";
import { stamp } from "./parts.js";

const ENDS = new Set(["disconnected", "replaced", "signed_out", "expired", "closed", "kicked"]);
const MINOR = new Set(["early", "captcha_right", "closed"]);
const BARE = new Set(["connected", "disconnected"]);

/** A step in words; one of a newer server is named as it is. */
export function stepWords(taken) {
  const key = `step.${taken.step}`;
  if (t(key) !== key) return t(key, told(taken.details)).replace(/\{\w+\}/g, "?");
  const details = Object.entries(taken.details).map(([name, value]) => `${name}=${value}`);
  return [taken.step, ...details].join(" ");
}

/** Details in the page's language, as far as the server itself said them. */
function told(details) {
  return Object.fromEntries(Object.entries(details).map(([name, value]) => {
    const key = `op.detail.${value}`;
    return [name, t(key) === key ? value : t(key)];
  }));
}

/** What to do about a step, "" if nothing is to be done. */
export function remedy(taken) {
  const key = `op.remedy.${taken.step}`;
  const words = t(key);
  return words === key ? "" : words;
}

/**
 * Return the step that tells why nobody is signed in, null if somebody is, or nothing tells.
 * Browsers tell nothing of phones; they are looked at where there is nothing else.
 */
export function telling(all) {
  const phones = all.filter((attempt) => attempt.over !== "web");
  const attempts = phones.length > 0 ? phones : all;
  if (attempts.some((attempt) => attempt.signed_in)) return null;
  const order = attempts.flatMap((attempt, position) =>
    attempt.steps.map((taken) => ({ position, taken })));
  order.sort((one, other) => (one.taken.order ?? 0) - (other.taken.order ?? 0)
    || one.taken.last - other.taken.last);
  const wasIn = new Set();
  let [major, minor] = [null, null];
  for (const { position, taken } of order) {
    const { step } = taken;
    if (step === "signed_in" || (ENDS.has(step) && wasIn.has(position))) {
      if (step === "signed_in") wasIn.add(position);
      else wasIn.delete(position);
      major = taken;
      minor = taken;
    } else if (MINOR.has(step)) minor = taken;
    else if (BARE.has(step)) minor ??= taken;
    else if (!ENDS.has(step)) major = taken;
  }
  return major ?? minor;
}

/** Why somebody is not signed in, from what the action `why` returned, in the page's language. */
export function advice(found) {
  if (language() === "en") return found.advice;
  if (found.is_number && !found.exists) return t("op.advice.no_account", { who: found.who });
  if (found.suspended !== null) {
    return t(found.suspended ? "op.advice.suspended_because" : "op.advice.suspended",
      { who: found.who, reason: found.suspended });
  }
  const taken = telling(found.attempts);
  if (!taken) return t("op.advice.nothing", { who: found.who });
  const what = remedy(taken) || (taken.step === "connected" ? t("op.advice.silent") : "");
  const words = { when: stamp(taken.last), step: stepWords(taken), remedy: what };
  return t(what ? "op.advice.do" : "op.advice.step", words);
}
