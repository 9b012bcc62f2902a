// A blob layer that lets nothing be changed below a path, and passes everything else on. A plugin has one thread and is
// never entered twice, so nothing is locked.

import { LarderError, denied } from "../sdk/js/src/index.js";

/** The plugin. */
export class Freezer {
  /** Paths that begin like this are only read; undefined: all may be written. */
  #frozen;

  constructor(settings) {
    this.#frozen = settings.take("frozen") || undefined;
    // What was not taken is refused by name.
    settings.finish();
  }

  describe(next) {
    return next.describe();
  }

  stat(next, path) {
    return next.stat(path);
  }

  read(next, path, offset, length) {
    return next.read(path, offset, length);
  }

  list(next, prefix, cursor, limit) {
    return next.list(prefix, cursor, limit);
  }

  /** Those that may go do, whatever becomes of the others. */
  deleteMany(next, paths) {
    return paths.map((path) => {
      try {
        this.#mayChange(path);
        return next.deleteMany([path])[0];
      } catch (error) {
        if (error instanceof LarderError) return { tag: "err", val: error.payload };
        throw error;
      }
    });
  }

  put(next, path, data, options) {
    this.#mayChange(path);
    return next.put(path, data, options);
  }

  copy(next, source, target) {
    this.#mayChange(target);
    next.copy(source, target);
  }

  /** Only what was begun can be finished, so that parts need no look. */
  begin(next, path, options) {
    this.#mayChange(path);
    return next.begin(path, options);
  }

  part(next, upload, number, data) {
    return next.part(upload, number, data);
  }

  finish(next, upload, parts) {
    return next.finish(upload, parts);
  }

  #mayChange(path) {
    if (this.#frozen !== undefined && path.startsWith(this.#frozen)) {
      throw denied(`${JSON.stringify(path)} is frozen: nothing below ${JSON.stringify(this.#frozen)} is changed`);
    }
  }
}
