// @ts-check
// Any line in words: what each field is, how sure that is, and who says so (kqq.protocol.explain).

import { items, mask, parse, strip } from "./codec.js";

/** A number's place in the head of a reply: `RES` further behind is not the head's. */
const RES_PLACE = 4;
const ANY_NUMBER = /^[0-9]{1,20}$/;
const HEX_PAIRS = /^(?:[0-9A-Fa-f]{2}[\t-\r ]*)*$/;
const MASKED = "***";

/**
 * `raw` is the value as sent and `shown` without escapes, both `***` where it is secret. `name` and
 * `meaning` are "" where nothing is known. `sure` is A (three sources, or a capture and code), B
 * (two), C (one), D (inferred) or ?; `sources` are keys of the catalogue's `sources`.
 * @typedef {object} ExplainedField
 * @property {string} key
 * @property {string} name
 * @property {string} raw
 * @property {string} shown
 * @property {string} meaning
 * @property {string} sure
 * @property {string[]} sources
 * @property {boolean} secret
 */

/**
 * `kind` is "request", "reply", "push" or "unreadable"; `wrong` has the keys of fields that are
 * missing or are not what they must be, so that the line cannot be read.
 * @typedef {object} Explanation
 * @property {string} command as spelled in the line
 * @property {string} kind
 * @property {string} words
 * @property {ExplainedField[]} fields
 * @property {string[]} wrong
 */

/** @type {WeakMap<object, Index>} */
const indexes = new WeakMap();

/**
 * @typedef {object} Index
 * @property {Map<string, any>} requests by command in lower case
 * @property {Map<string, any[]>} responses the same; forms that only sometimes hold come first
 * @property {Map<string, any>} documents by their first key
 * @property {any[]} replyHead
 * @property {any[]} requestHead
 */

/**
 * Return the commands of the catalogue, as they are looked for.
 * @param {any} catalogue
 * @returns {Index}
 */
function indexOf(catalogue) {
  const known = indexes.get(catalogue);
  if (known) return known;
  /** @type {Index} */
  const index = {
    requests: new Map(),
    responses: new Map(),
    documents: new Map(),
    replyHead: [],
    requestHead: [],
  };
  for (const spec of catalogue.commands) {
    const name = spec.command.toLowerCase();
    if (spec.role === "request") {
      index.requests.set(name, spec);
      index.requestHead = spec.fields.slice(0, 7);
    } else if (spec.role === "document") {
      index.documents.set(spec.fields[0].key, spec);
    } else {
      const forms = index.responses.get(name) ?? [];
      forms.push(spec);
      forms.sort((one, other) => Number(one.when === null) - Number(other.when === null));
      index.responses.set(name, forms);
      if (spec.role === "reply") index.replyHead = spec.fields.slice(0, RES_PLACE + 1);
    }
  }
  indexes.set(catalogue, index);
  return index;
}

/**
 * Explain a line. `way` is "out" if a client says it, "in" if the server does; without it that is
 * told by the line's shape, since only servers say `RES`.
 * @param {string} line
 * @param {"in" | "out" | null | undefined} way
 * @param {any} catalogue what `/static/catalogue.json` holds
 * @returns {Explanation}
 */
export function explain(line, way, catalogue) {
  const index = indexOf(catalogue);
  const plain = parse(line);
  const isServers = way ? way === "in" : isSaidByServer(plain, line, index);
  const spec = specOf(plain, isServers, index);
  const said = parse(line, restOf(spec));
  const wrong = spec ? faults(said, spec) : [];
  const isRefusal = isServers && isRefusing(said, spec, wrong, index);
  const kind = kindOf(said, spec, isRefusal, wrong);
  return {
    command: said.cmd,
    kind,
    words: isRefusal ? "A refusal: the head, and nothing after it." : (spec?.doc ?? ""),
    fields: fieldsOf(said, spec, isServers, index),
    wrong: isRefusal ? [] : wrong,
  };
}

function kindOf(said, spec, isRefusal, wrong) {
  if (isRefusal) return "reply";
  if (!spec || wrong.length) return "unreadable";
  return spec.role === "document" ? "reply" : spec.role;
}

function isSaidByServer(plain, line, index) {
  const keys = plain.pairs.map(([key]) => strip(key));
  const place = keys.indexOf("RES");
  if (place < 0) return [...index.documents.keys()].some((key) => plain.raw(key) !== undefined);
  if (place <= RES_PLACE) return true;
  const spec = index.requests.get(lower(plain.cmd));
  if (!spec) return true;
  const said = parse(line, restOf(spec)); // in words of a request it is nobody's
  return faults(said, spec).length > 0 || said.raw("RES") !== undefined;
}

function specOf(plain, isServers, index) {
  if (!isServers) return index.requests.get(lower(plain.cmd)) ?? null;
  if (!plain.cmd) {
    for (const [key, spec] of index.documents) if (plain.raw(key) !== undefined) return spec;
    return null;
  }
  const forms = index.responses.get(lower(plain.cmd)) ?? [];
  return forms.find((one) => one.when === null || plain.raw(one.when) !== undefined) ?? null;
}

/** Only ASCII has another case here: in lower case the Kelvin sign would be a k. */
function lower(name) {
  return /^[\x00-\x7f]*$/.test(name) ? name.toLowerCase() : "";
}

function restOf(spec) {
  const rest = spec?.fields.find((one) => one.rest);
  if (!rest) return null;
  const after = spec.fields.filter((one) => one.required && !one.rest).map((one) => one.key);
  return { key: rest.key, after };
}

/** Whether it is a refusal: only its head can be wrong, since there is nothing else. */
function isRefusing(said, spec, wrong, index) {
  const res = strip(said.raw("RES") ?? "");
  if (!ANY_NUMBER.test(res) || /^0+$/.test(res)) return false;
  if (spec && !(spec.role === "reply" || wrong.length)) return false;
  if (!spec && !/^[A-Za-z0-9_]{1,32}$/.test(said.cmd)) return false;
  const head = index.replyHead.filter((one) => ["VER", "SEQ", "UIN"].includes(one.key));
  return head.every((one) => fits(said.raw(one.key), one));
}

function faults(said, spec) {
  return spec.fields.filter((one) => !fits(said.raw(one.key), one)).map((one) => one.key);
}

/** Whether a value, as sent, is what a field must be. */
function fits(value, field) {
  if (value === undefined) return !field.required;
  if (field.secret && value === MASKED) return true; // lines that are watched are masked
  if (!field.required && !strip(value) && field.kind !== "DIGITS") return true;
  return isOfKind(value, field.kind);
}

function isOfKind(value, kind) {
  const list = /^(PLAIN_)?LIST\((.*)\)$/.exec(kind);
  if (list) {
    const found = list[1] && strip(value) ? value.split(",") : items(value);
    return found.every((one) => isOfKind(one, list[2]));
  }
  const text = strip(value);
  const hex = /^HEX_TEXT\((\d+)\)$/.exec(kind);
  if (hex) return text.length === Number(hex[1]) && /^[0-9A-Fa-f]*$/.test(text);
  if (kind === "UINT" || kind === "DIGITS") return ANY_NUMBER.test(text);
  if (kind === "HEX") return HEX_PAIRS.test(text);
  if (kind === "VERSION") return /^1\.[0-4]$/.test(text);
  return true;
}

function fieldsOf(said, spec, isServers, index) {
  const declared = spec?.fields ?? (isServers ? index.replyHead : index.requestHead);
  const known = new Map(declared.map((one) => [one.key, one]));
  return said.pairs.map(([key, value], at) => {
    const field = known.get(strip(key));
    const raw = said.sent[at];
    const secret = field ? field.secret : mask(`${key}=`) !== `${key}=`;
    return {
      key,
      name: field?.name ?? "",
      raw: secret ? MASKED : raw,
      shown: secret ? MASKED : value,
      meaning: field ? meaningOf(field, raw) : "",
      sure: field?.confidence ?? "?",
      sources: field?.evidence ?? [],
      secret,
    };
  });
}

function meaningOf(field, raw) {
  if (!Object.keys(field.values).length) return field.meaning;
  const word = (code) => (Object.hasOwn(field.values, code) ? field.values[code] : "");
  let words;
  if (field.kind.includes("LIST(")) {
    const codes = raw.split(",").map(strip).filter(Boolean);
    words = codes.map((code) => word(code) || `${code} (unknown)`).join(", ");
  } else {
    words = word(strip(raw));
    if (words === strip(raw)) words = "";
  }
  return words ? `${field.meaning}: ${words}` : field.meaning;
}
