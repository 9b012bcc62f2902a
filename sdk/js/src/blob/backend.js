// Makes the exports of the world `blob-backend` of a class.

import { Cell, guarded, lifecycleOf, mustHave, u32 } from "../boundary.js";
import { LarderError, invalid } from "../errors.js";
import { Settings } from "../settings.js";
import { need, refuseOptions } from "./declared.js";

/**
 * `export const { lifecycle, blob } = blobBackend(Shelf, { log });`
 *
 * The class is made by `new` with the Settings. What its `describe` does not declare never reaches it.
 */
export function blobBackend(type, { log } = {}) {
  mustHave(type, ["describe", "stat", "read", "list", "delete", "put"], "a blob backend");
  const cell = new Cell();
  const call = (work) => guarded(log, () => {
    const { plugin, description } = cell.get();
    return work(plugin, description);
  });
  const inParts = (work) => call((plugin, description) => {
    need(description, "multipart", "multipart");
    return work(plugin, description);
  });
  const start = (settings) => {
    const plugin = new type(new Settings(settings));
    return { plugin, description: plugin.describe(), health: () => plugin.health?.() };
  };
  const blob = {
    describe: () => call((_, description) => description),
    stat: (path) => call((plugin) => plugin.stat(path)),
    read: (path, offset, length) => call((plugin) => plugin.read(path, offset, u32(length))),
    list: (prefix, cursor, limit) => call((plugin) => {
      if (limit === 0) throw invalid("a listing of at most 0 blobs");
      return plugin.list(prefix, cursor ?? undefined, u32(limit));
    }),
    deleteMany: (paths) => call((plugin) => paths.map((path) => oneByOne(log, () => plugin.delete(path)))),
    copy: (source, target) => call((plugin, description) => {
      need(description, "copy", "copy");
      plugin.copy(source, target);
    }),
    put: (path, data, options) => call((plugin, description) => {
      refuseOptions(description, options);
      return plugin.put(path, data, options);
    }),
    begin: (path, options) => inParts((plugin, description) => {
      refuseOptions(description, options);
      return plugin.begin(path, options);
    }),
    part: (upload, number, data) => inParts((plugin) => plugin.part(upload, u32(number), data)),
    finish: (upload, parts) => inParts((plugin) => plugin.finish(upload, parts)),
    abort: (upload) => inParts((plugin) => { plugin.abort(upload); }),
  };
  return { lifecycle: lifecycleOf(cell, log, start), blob };
}

/** One answer of many: a failure is that one's alone. */
function oneByOne(log, work) {
  try {
    guarded(log, work);
    return { tag: "ok" };
  } catch (error) {
    if (error instanceof LarderError) return { tag: "err", val: error.payload };
    throw error;
  }
}
