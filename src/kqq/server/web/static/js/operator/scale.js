// Where the marks of an axis stand, and which figures are averaged for a table. No DOM.

const STEPS = [60, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 14400, 21600, 43200];

/**
 * Return round values from 0 on that reach at least `highest`, about `count` of them.
 * @param {number} highest
 * @param {number} count
 * @returns {number[]}
 */
export function marks(highest, count = 4) {
  const rough = (highest > 0 ? highest : 1) / count;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = size * [1, 2, 2.5, 5, 10].find((one) => one * size >= rough * 0.999);
  const many = Math.ceil((highest > 0 ? highest : 1) / step - 1e-9);
  return Array.from({ length: many + 1 }, (_, at) => Number((at * step).toPrecision(9)));
}

/**
 * Return dates (seconds) between two at which a clock on the wall shows something round, at most
 * `most` of them; `offset` is how many seconds local time is ahead of UTC.
 */
export function hours(from, to, most, offset) {
  const step = STEPS.find((one) => (to - from) / one <= most) ?? 86400;
  const first = Math.ceil((from + offset) / step) * step - offset;
  const found = [];
  for (let date = first; date <= to; date += step) found.push(date);
  return found;
}

/** Return the position of the date that is nearest to `wanted`; -1 if there is none. */
export function nearest(times, wanted) {
  if (!times.length) return -1;
  let [low, high] = [0, times.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  const isBefore = low > 0 && wanted - times[low - 1] < times[low] - wanted;
  return isBefore ? low - 1 : low;
}

/**
 * Return at most `most` rows, newest first: `{from, to, values}`, each value the mean of what is
 * known of its line in that time, null if nothing is.
 * @param {number[]} times
 * @param {(number|null)[][]} lines
 * @param {number} most
 */
export function means(times, lines, most) {
  const size = Math.max(1, Math.ceil(times.length / most));
  const rows = [];
  for (let end = times.length; end > 0; end -= size) {
    const start = Math.max(0, end - size);
    const values = lines.map((line) => mean(line.slice(start, end)));
    rows.push({ from: times[start], to: times[end - 1], values });
  }
  return rows;
}

function mean(values) {
  const known = values.filter((value) => value !== null && value !== undefined);
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
}

/**
 * Return the path of a line through points that have both, broken where a value is not known; a
 * point alone is a dot.
 * @param {(number|null)[]} values
 * @param {(position: number) => number} x
 * @param {(value: number) => number} y
 */
export function path(values, x, y) {
  const isKnown = (value) => value !== null && value !== undefined;
  let drawn = "";
  values.forEach((value, position) => {
    if (!isKnown(value)) return;
    const isStart = !isKnown(values[position - 1]);
    drawn += `${isStart ? "M" : "L"}${x(position).toFixed(1)},${y(value).toFixed(1)}`;
    if (isStart && !isKnown(values[position + 1])) drawn += "h0";
  });
  return drawn;
}
