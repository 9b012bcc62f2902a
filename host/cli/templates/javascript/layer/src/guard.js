// A key-value layer that refuses values that are too large, and passes everything else on. A plugin has one thread and is
// never entered twice, so nothing is locked.

import { VALUE_BYTES_MAX, invalid } from "../sdk/js/src/index.js";

/** The plugin. */
export class Guard {
  #valueBytesMax;

  constructor(settings) {
    this.#valueBytesMax = settings.integer("value-bytes-max", { min: 1, max: VALUE_BYTES_MAX }) ?? VALUE_BYTES_MAX;
    // What was not taken is refused by name.
    settings.finish();
  }

  describe(next) {
    const description = next.describe();
    return { ...description, maxValueBytes: Math.min(description.maxValueBytes, this.#valueBytesMax) };
  }

  get(next, key) {
    return next.get(key);
  }

  getMany(next, keys) {
    return next.getMany(keys);
  }

  scan(next, scan) {
    return next.scan(scan);
  }

  commit(next, checks, writes) {
    for (const { key, change } of writes) {
      if (change.tag === "put" && change.val.value.length > this.#valueBytesMax) {
        const bytes = change.val.value.length;
        throw invalid(`the value of \`${key}\` has ${bytes} bytes, more than ${this.#valueBytesMax}`);
      }
    }
    return next.commit(checks, writes);
  }
}
