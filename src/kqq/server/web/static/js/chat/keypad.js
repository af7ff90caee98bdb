// Writing with twelve keys: pressing a key again within a moment brings its next sign.

/** Signs of each key, in the order in which they come. */
export const SIGNS = {
  1: ".,?!1@'\"-:;/()",
  2: "abc2",
  3: "def3",
  4: "ghi4",
  5: "jkl5",
  6: "mno6",
  7: "pqrs7",
  8: "tuv8",
  9: "wxyz9",
  0: " 0\n",
  "*": "*+-=%&_~<>#",
};

/** Ways to write; the key # goes from one to the next. */
export const MODES = ["Abc", "abc", "ABC", "123"];

/** Milliseconds in which a key that is pressed again means its next sign. */
const MOMENT = 900;

/** What was pressed last, and how keys are read. */
export class Keypad {
  constructor() {
    this.mode = MODES[0];
    this.last = { key: "", at: -Infinity, turn: 0 };
  }

  /** Go to the next way to write. */
  nextMode() {
    this.mode = MODES[(MODES.indexOf(this.mode) + 1) % MODES.length];
    this.rest();
  }

  /** The next key begins another sign, even if it is the same. */
  rest() {
    this.last = { key: "", at: -Infinity, turn: 0 };
  }

  /**
   * Return the sign that a key brings at a time in milliseconds, and whether it takes the place of
   * the sign before. `before` is the text in front of it.
   * @param {string} key
   * @param {number} at
   * @param {{before?: string, isNumber?: boolean}} [where]
   * @returns {{sign: string, isAnother: boolean}}
   */
  press(key, at, { before = "", isNumber = false } = {}) {
    const signs = SIGNS[key];
    if (isNumber || this.mode === "123") return { sign: key, isAnother: false };
    const isAnother = key === this.last.key && at - this.last.at < MOMENT;
    const turn = isAnother ? this.last.turn + 1 : 0;
    this.last = { key, at, turn };
    const sign = signs[turn % signs.length];
    const start = isAnother ? before.slice(0, -1) : before;
    return { sign: this.#isUpper(start) ? sign.toUpperCase() : sign, isAnother };
  }

  #isUpper(before) {
    return this.mode === "ABC" || (this.mode === "Abc" && /(^|[.!?\n]\s*)$/u.test(before));
  }
}

/**
 * Put a sign into a field where the cursor is, in the place of the sign before it if it is another.
 * @param {HTMLInputElement|HTMLTextAreaElement} field
 */
export function put(field, { sign, isAnother }) {
  const start = field.selectionStart ?? field.value.length;
  const end = field.selectionEnd ?? start;
  field.setRangeText(sign, isAnother && start === end ? Math.max(0, start - 1) : start, end, "end");
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

/** Take away what is chosen in a field, or the sign before the cursor. */
export function takeAway(field) {
  const end = field.selectionEnd ?? field.value.length;
  let start = field.selectionStart ?? end;
  if (start === end) {
    const before = field.value.slice(0, start);
    start -= lastSign(before).length;
  }
  field.setRangeText("", start, end, "end");
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

/** The last sign as people count them: an emoji of several parts is one. */
function lastSign(text) {
  const tail = text.slice(-32);
  if (!globalThis.Intl?.Segmenter) return [...tail].at(-1) ?? "";
  return [...new Intl.Segmenter().segment(tail)].at(-1)?.segment ?? "";
}
