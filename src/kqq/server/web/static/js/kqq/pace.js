// @ts-check

/**
 * How long to wait before connecting again: twice as long each time, and never exactly so, or all
 * browsers of a server that was away would come back in the same moment.
 */
export class BackOff {
  #failures = 0;

  /**
   * @param {() => number} random numbers from 0 to 1
   * @param {{first?: number, most?: number}} [pauses] milliseconds
   */
  constructor(random, { first = 1000, most = 60_000 } = {}) {
    this.random = random;
    this.first = first;
    this.most = most;
  }

  /** Note that a connection held; the next pause is a short one. */
  succeeded() {
    this.#failures = 0;
  }

  /** Return how long to wait after one more failure. */
  next() {
    const longest = Math.min(this.first * 2 ** Math.min(this.#failures, 30), this.most);
    this.#failures += 1;
    return Math.round(longest * (0.5 + this.random() / 2));
  }
}
