// The smallest whole backend, as the example of the README has it, and the tests call it.

import { expectationHolds, compareText, conflict, kvDescription, PageBuilder } from "../src/index.js";

export class Shelf {
  #entries = new Map();
  #versionLast = 0;

  constructor(settings) {
    settings.finish(); // no settings: any that is given is refused by name
  }

  describe() {
    return kvDescription({ features: ["scan", "versions", "transactions"], instances: "one" });
  }

  get(key) {
    return this.#entries.get(key);
  }

  scan(scan) {
    const page = new PageBuilder(scan);
    const isWanted = (key) =>
      compareText(key, scan.start) >= 0 && (scan.end === undefined || compareText(key, scan.end) < 0);
    for (const key of [...this.#entries.keys()].filter(isWanted).sort(compareText)) {
      const entry = this.#entries.get(key);
      const value = scan.keysOnly ? new Uint8Array() : entry.value;
      if (!page.hasRoom(key, value.length)) return page.endingBefore(key);
      page.push(key, { ...entry, value });
    }
    return page.ending();
  }

  commit(checks, writes) {
    const failed = checks.find(({ key, expect }) => !expectationHolds(expect, this.#entries.get(key)?.version));
    if (failed !== undefined) throw conflict(failed.key);
    return writes.map(({ key, change }) => {
      if (change.tag === "delete") return { tag: "deleted", val: this.#entries.delete(key) };
      this.#versionLast += 1;
      this.#entries.set(key, { value: change.val.value, version: this.#versionLast });
      return { tag: "written", val: this.#versionLast };
    });
  }
}
