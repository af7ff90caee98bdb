// @ts-check
// Lines of the protocol to fields and back, escaped just as kqq.protocol does.

const HEX = "%[0-9A-Fa-f]{2}";
/** Bytes written as `%XX`, and bytes that were no UTF-8: these come as lone surrogates. */
const BYTES = new RegExp(`(?:${HEX}|[\\udc80-\\udcff])+`, "gu");
const ONE_BYTE = new RegExp(`${HEX}|[\\udc80-\\udcff]`, "gu");
const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const BLANK = "\\t-\\r\\x1c- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const BLANK_ENDS = new RegExp(`^[${BLANK}]+|[${BLANK}]+$`, "g");
const ESCAPES = { "%": "%25", "&": "%26", ",": "%2c", "\n": "%0a", "\r": "%0D" };
const SECRETS = new Set(["PS", "SG", "SSG", "PASSWORD", "PASSWD", "PWD", "AGAIN"]);
/** Bytes of the longest length that some clients put before a line. */
const PREFIX = 2;

/** Bytes a line may have. */
export const LINE_LIMIT = 65536;

/**
 * A line that was read. Numbers are null where they are missing or none; `con`, `cmd` and `seq`
 * are "" then. `pairs` has all fields as they came, values unescaped, the key "" where a part has
 * no `=`; `get` gives the first value of a key, `raw` the same as it was sent, and `list` the
 * items of a value that has a comma after each.
 * @typedef {object} Parsed
 * @property {string} ver
 * @property {string} con
 * @property {string} cmd
 * @property {string} seq
 * @property {number | null} uin
 * @property {number | null} res
 * @property {string} junk what stood before the line and is no part of it
 * @property {[string, string][]} pairs
 * @property {string[]} sent the values of `pairs` as they were sent
 * @property {(key: string) => string | undefined} get
 * @property {(key: string) => string | undefined} raw
 * @property {(key: string) => string[]} list
 */

/**
 * A field that takes all to the end of the line, `&` included, once the keys in `after` stand
 * before it.
 * @typedef {{key: string, after: string[]}} Rest
 */

/**
 * Return `text` with the five signs escaped that would end a value, an item or a line.
 * @param {string} text
 */
export function escape(text) {
  return text.replace(/[%&,\n\r]/g, (sign) => ESCAPES[sign]);
}

/**
 * Return `value` with every `%XX` undone, in one pass. Bytes that are no UTF-8 are kept as lone
 * surrogates, as Python does with "surrogateescape".
 * @param {string} value
 */
export function unescape(value) {
  if (!value.includes("%")) return value;
  return value.replace(BYTES, (run) => {
    const signs = run.match(ONE_BYTE) ?? [];
    const bytes = signs.map((sign) =>
      sign.length > 1 ? parseInt(sign.slice(1), 16) : sign.charCodeAt(0) & 0xff,
    );
    return decodeBytes(Uint8Array.from(bytes));
  });
}

/** @param {Uint8Array} bytes */
function decodeBytes(bytes) {
  const whole = decodeStrictly(bytes);
  if (whole !== null) return whole;
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = lengthOf(bytes[at]);
    const sign = decodeStrictly(bytes.subarray(at, at + length));
    text += sign ?? String.fromCharCode(0xdc00 | bytes[at]);
    at += sign === null ? 1 : length;
  }
  return text;
}

function decodeStrictly(bytes) {
  try {
    return STRICT.decode(bytes);
  } catch {
    return null;
  }
}

/** How many bytes a sign has that begins so. */
function lengthOf(first) {
  if (first < 0xc2) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}

/**
 * Return `text` without blanks at its ends, those that Python takes for blank.
 * @param {string} text
 */
export function strip(text) {
  return text.replace(BLANK_ENDS, "");
}

/**
 * Read a line, whatever it holds. `rest` names a field that takes the rest of the line.
 * @param {string} text with or without its end
 * @param {Rest | null} [rest]
 * @returns {Parsed}
 */
export function parse(text, rest = null) {
  const [junk, line] = cut(text.replace(/\n$/, "").replace(/\r$/, ""));
  const raw = rawPairs(line, rest);
  const first = new Map();
  for (const [key, value, isField] of raw) {
    if (isField && !first.has(strip(key))) first.set(strip(key), value);
  }
  const get = (key) => (first.has(key) ? unescape(first.get(key)) : undefined);
  return {
    ver: get("VER") ?? "",
    con: get("CON") ?? "",
    cmd: strip(first.get("CMD") ?? ""),
    seq: strip(first.get("SEQ") ?? ""),
    uin: numberOf(first.get("UIN")),
    res: numberOf(first.get("RES")),
    junk,
    pairs: raw.map(([key, value]) => [key, unescape(value)]),
    sent: raw.map(([, value]) => value),
    get,
    raw: (key) => first.get(key),
    list: (key) => items(first.get(key) ?? "").map(unescape),
  };
}

/**
 * Return what stands before a line, and the line. Some clients put a binary length there, in which
 * no field fits.
 */
function cut(text) {
  const start = text.indexOf("VER=");
  const before = text.slice(0, Math.max(start, 0));
  const bytes = new TextEncoder().encode(before.replace(/[\udc80-\udcff]/gu, "?")).length;
  return bytes <= PREFIX || !before.includes("=")
    ? [before, text.slice(before.length)]
    : ["", text];
}

/**
 * @param {string} line
 * @param {Rest | null} rest
 * @returns {[string, string, boolean][]} key, value as sent, and whether there was a `=`
 */
function rawPairs(line, rest) {
  /** @type {[string, string, boolean][]} */
  const pairs = [];
  const seen = new Set();
  const parts = line.split("&");
  for (let at = 0; at < parts.length; at++) {
    const part = parts[at];
    const equals = part.indexOf("=");
    if (equals < 0) {
      if (part) pairs.push(["", part, false]);
      continue;
    }
    const key = part.slice(0, equals);
    const name = strip(key);
    const isRest = name === rest?.key && !seen.has(name);
    if (isRest && rest?.after.every((one) => seen.has(one))) {
      pairs.push([key, [part.slice(equals + 1), ...parts.slice(at + 1)].join("&"), true]);
      break;
    }
    seen.add(name);
    pairs.push([key, part.slice(equals + 1), true]);
  }
  return pairs;
}

/**
 * Return the items of a value with a comma after each; the last comma may be missing.
 * @param {string} value as sent
 */
export function items(value) {
  if (!strip(value)) return [];
  const found = value.split(",");
  if (!strip(found[found.length - 1])) found.pop();
  return found;
}

/**
 * Return the number that a value is, null if it is none or has more than 15 digits.
 * @param {string | undefined} value
 */
export function numberOf(value) {
  const digits = strip(value ?? "");
  return /^[0-9]{1,15}$/.test(digits) ? Number(digits) : null;
}

/**
 * Write a line of fields in this order. A value is a text, a number, or a list of these, of which
 * each gets a comma after it; undefined and null are left out. Lone surrogates, which no frame may
 * hold, become the bytes they stand for, written as `%XX`, or "�".
 * @param {Iterable<[string, any]> | Record<string, any>} fields
 * @returns {string}
 */
export function write(fields) {
  const pairs = Symbol.iterator in fields ? [...fields] : Object.entries(fields);
  return pairs
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => `${key}=${written(value)}`)
    .join("&");
}

function written(value) {
  if (Array.isArray(value)) return value.map((item) => `${written(item)},`).join("");
  return escape(String(value)).replace(/\p{Cs}/gu, (half) => {
    const byte = half.charCodeAt(0) - 0xdc00;
    return byte >= 0x80 && byte <= 0xff ? `%${byte.toString(16).toUpperCase()}` : "\ufffd";
  });
}

/**
 * Return a line with passwords and session keys replaced by `***`.
 * @param {string} line
 */
export function mask(line) {
  return line.replace(/(^|&)([^&=]*)=[^&\r\n]*/g, (part, before, key) =>
    SECRETS.has(strip(unescape(key)).toUpperCase()) ? `${before}${key}=***` : part,
  );
}
