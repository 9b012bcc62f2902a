// The plugin's table of settings, taken apart by name; what is left over is refused. A value may be a secret, so no
// error shows one.

import { invalid } from "./errors.js";

/** The plugin's settings from the configuration, as text. Take each known one, then call `finish`. */
export class Settings {
  #entries;
  #known = [];

  constructor(entries = []) {
    this.#entries = new Map(entries);
  }

  /** A setting's text; undefined where it is not given. */
  take(name) {
    this.#known.push(name);
    const text = this.#entries.get(name);
    this.#entries.delete(name);
    return text;
  }

  /** A setting's text; `invalid` where it is not given. */
  require(name) {
    const text = this.take(name);
    if (text === undefined) throw invalid(`the setting \`${name}\` is missing`);
    return text;
  }

  /** A whole number from `min` to `max`; undefined where it is not given. */
  integer(name, { min = 0, max = Number.MAX_SAFE_INTEGER } = {}) {
    const text = this.take(name);
    if (text === undefined) return undefined;
    const number = /^-?\d{1,16}$/.test(text) ? Number(text) : NaN;
    if (!(number >= min && number <= max)) {
      throw invalid(`the setting \`${name}\` is a whole number from ${min} to ${max}`);
    }
    return number;
  }

  /** One of a few words; undefined where it is not given. */
  oneOf(name, words) {
    const text = this.take(name);
    if (text !== undefined && !words.includes(text)) {
      throw invalid(`the setting \`${name}\` is one of: ${words.join(", ")}`);
    }
    return text;
  }

  /** Refuses what was not taken, by name. */
  finish() {
    if (this.#entries.size === 0) return;
    const unknown = [...this.#entries.keys()].join("`, `");
    const known = this.#known.length > 0 ? this.#known.join(", ") : "none";
    throw invalid(`unknown setting \`${unknown}\` (known: ${known})`);
  }
}
