// What the page says, in English and Chinese. Each part of the page registers its own words.

const KEY = "kqq.language";
const words = { en: {}, zh: {} };
let current = stored() ?? (preferred().startsWith("zh") ? "zh" : "en");

/** Tells "language" when another language was chosen. */
export const languages = new EventTarget();

function stored() {
  try {
    const found = localStorage.getItem(KEY);
    return found === "en" || found === "zh" ? found : null;
  } catch {
    return null; // storage is forbidden here
  }
}

function preferred() {
  return (navigator.languages?.[0] ?? navigator.language ?? "en").toLowerCase();
}

/**
 * Add words; a text may have places such as `{name}`.
 * @param {{en: Record<string, string>, zh: Record<string, string>}} more
 */
export function register(more) {
  Object.assign(words.en, more.en);
  Object.assign(words.zh, more.zh);
}

/** Return the language of the page, "en" or "zh". */
export function language() {
  return current;
}

/** Have the page speak `chosen`, "en" or "zh". */
export function setLanguage(chosen) {
  current = chosen;
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    // It holds until the page is closed.
  }
  declare();
  languages.dispatchEvent(new CustomEvent("language", { detail: chosen }));
}

/** Write the language into the page, for screen readers and for the choice of glyphs. */
export function declare() {
  document.documentElement.lang = current === "zh" ? "zh-CN" : "en";
}

/**
 * Return the words of a key with its places filled in; a key without words is returned as it is.
 * @param {string} key
 * @param {Record<string, any>} [values]
 */
export function t(key, values = {}) {
  const text = words[current][key] ?? words.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}
