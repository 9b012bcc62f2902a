// Fills a page of a scan up to its limits.

import { utf8Length } from "../text.js";

/** Most entries of a page, whatever its limit. */
const PAGE_ENTRIES_MAX = 1_000;

/** A page ends before the entry that would take it past this many bytes; it holds at least one all the same. */
const PAGE_BYTES_MAX = 4 << 20;

/** A page that is being filled. */
export class PageBuilder {
  #entries = [];
  #bytes = 0;
  #limit;

  constructor({ limit }) {
    this.#limit = Math.min(limit, PAGE_ENTRIES_MAX);
  }

  /** Whether an entry fits, its value (0 where keys alone are wanted) being of this many bytes. */
  hasRoom(key, valueBytes) {
    if (this.#entries.length >= this.#limit) return false;
    return this.#entries.length === 0 || this.#bytes + utf8Length(key) + valueBytes <= PAGE_BYTES_MAX;
  }

  /** Adds an entry. */
  push(key, entry) {
    this.#bytes += utf8Length(key) + entry.value.length;
    this.#entries.push({ key, entry });
  }

  /** The page, which goes on with `next`, the first key that did not fit. */
  endingBefore(next) {
    return { entries: this.#entries, next };
  }

  /** The page, which is the last. */
  ending() {
    return { entries: this.#entries, next: undefined };
  }
}
