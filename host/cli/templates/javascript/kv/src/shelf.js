// A key-value backend in its own memory. A plugin has one thread and is never entered twice, so nothing is locked.

import { PageBuilder, compareText, conflict, expectationHolds, kvDescription } from "../sdk/js/src/index.js";

/** The plugin. */
export class Shelf {
  /** Entries by their keys, also those that have expired and were not met since. */
  #entries = new Map();
  /** The same keys in the order of their bytes. */
  #keys = [];
  #versionLast = 0;
  #now;

  /** `now` is the time in milliseconds, which tests turn. */
  constructor(settings, now = Date.now) {
    // Take what you know: `settings.integer("limit")`. The rest is refused by name.
    settings.finish();
    this.#now = now;
  }

  describe() {
    return kvDescription({ features: ["scan", "ttl", "versions", "transactions"], instances: "one" });
  }

  get(key) {
    const stored = this.#live(key);
    return stored && this.#entry(stored, stored.value);
  }

  scan(scan) {
    const page = new PageBuilder(scan);
    for (let at = this.#place(scan.start); at < this.#keys.length; at += 1) {
      const key = this.#keys[at];
      if (scan.end !== undefined && compareText(key, scan.end) >= 0) break;
      const stored = this.#entries.get(key);
      if (!this.#isLive(stored)) continue;
      const value = scan.keysOnly ? new Uint8Array() : stored.value;
      if (!page.hasRoom(key, value.length)) return page.endingBefore(key);
      page.push(key, this.#entry(stored, value));
    }
    return page.ending();
  }

  /** What can fail comes first, so that a commit happens whole or not at all. */
  commit(checks, writes) {
    const failed = checks.find(({ key, expect }) => !expectationHolds(expect, this.#live(key)?.version));
    if (failed !== undefined) throw conflict(failed.key);
    return writes.map(({ key, change }) =>
      change.tag === "delete"
        ? { tag: "deleted", val: this.#remove(key) }
        : { tag: "written", val: this.#put(key, change.val) });
  }

  /** Answers the new version: one that no entry has had. */
  #put(key, { value, ttlMs }) {
    const at = this.#place(key);
    if (this.#keys[at] !== key) this.#keys.splice(at, 0, key);
    this.#versionLast += 1;
    const expiresAt = ttlMs == null ? undefined : this.#now() + ttlMs;
    this.#entries.set(key, { value, version: this.#versionLast, expiresAt });
    return this.#versionLast;
  }

  /** Whether there was one that had not expired. */
  #remove(key) {
    const stored = this.#entries.get(key);
    if (stored === undefined) return false;
    this.#keys.splice(this.#place(key), 1);
    this.#entries.delete(key);
    return this.#isLive(stored);
  }

  /** An entry that has expired is removed when it is met. */
  #live(key) {
    const stored = this.#entries.get(key);
    if (stored === undefined || this.#isLive(stored)) return stored;
    this.#remove(key);
    return undefined;
  }

  #isLive({ expiresAt }) {
    return expiresAt === undefined || expiresAt > this.#now();
  }

  #entry({ version, expiresAt }, value) {
    return { value, version, expiresInMs: expiresAt === undefined ? undefined : Math.max(1, expiresAt - this.#now()) };
  }

  /** The place of the first key that is not before `key`. */
  #place(key) {
    let [low, high] = [0, this.#keys.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareText(this.#keys[middle], key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
