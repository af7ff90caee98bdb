// Words written down in pairs, English and Chinese side by side, so that neither is forgotten.

import { register } from "../common/words.js";

/**
 * Register words: each key, after `prefix`, with a text in English and one in Chinese.
 * @param {string} prefix
 * @param {Record<string, [string, string]>} words
 */
export function pairs(prefix, words) {
  const [en, zh] = [{}, {}];
  for (const [key, [english, chinese]] of Object.entries(words)) {
    en[prefix + key] = english;
    zh[prefix + key] = chinese;
  }
  register({ en, zh });
}
