// @ts-check
// Telling the server what it need not push again, on one connection.
//
// Each pushed message has a number of ten digits, its mark; to confirm one is good for all before
// it, so few confirmations are needed.

const EVERY = 1000; // milliseconds between two confirmations

export class Confirming {
  #say;
  #newest = "";
  #timer = 0;
  #saying = Promise.resolve();
  #isOver = false;

  /** @param {(mark: string) => Promise<any>} say confirms a mark */
  constructor(say) {
    this.#say = say;
  }

  /**
   * Confirm a mark soon: all up to it is kept.
   * @param {string} mark
   */
  due(mark) {
    this.#newest = mark;
    if (!this.#timer) this.#next();
  }

  /** Confirm what is due, at once. Never raises: what was not confirmed is pushed again. */
  async finish() {
    this.#next();
    await this.#saying;
    this.stop();
  }

  /** Confirm nothing more. */
  stop() {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #next() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (this.#isOver || !this.#newest) return;
    const mark = this.#newest;
    this.#newest = "";
    this.#timer = setTimeout(() => this.#next(), EVERY);
    this.#saying = this.#saying.then(() => this.#say(mark)).catch(() => this.stop());
  }
}
