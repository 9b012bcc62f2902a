// Makes the exports of the worlds `kv-backend` and `kv-backend-handoff` of a class.

import { Cell, guarded, handoffOf, lifecycleOf, mustHave, u32 } from "../boundary.js";
import { invalid, unsupported } from "../errors.js";
import { Settings } from "../settings.js";
import { checkKey, checkMany, refuseUndeclared } from "./declared.js";

/**
 * `export const { lifecycle, kv } = kvBackend(Shelf, { log });`
 *
 * The class is made by `new` with the Settings. What its `describe` does not declare never reaches it.
 */
export function kvBackend(type, { log } = {}) {
  mustHave(type, ["describe", "get", "commit"], "a key-value backend");
  const cell = new Cell();
  const call = (work) => guarded(log, () => {
    const { plugin, description } = cell.get();
    return work(plugin, description);
  });
  const start = (settings) => {
    const plugin = new type(new Settings(settings));
    return { plugin, description: plugin.describe(), health: () => plugin.health?.() };
  };
  const kv = {
    describe: () => call((_, description) => description),
    get: (key) => call((plugin, description) => {
      checkKey(description, key);
      return plugin.get(key);
    }),
    getMany: (keys) => call((plugin, description) => {
      checkMany(description, keys);
      return plugin.getMany ? plugin.getMany(keys) : keys.map((key) => plugin.get(key));
    }),
    scan: (start, end, limit, keysOnly) => call((plugin, description) => {
      if (!description.features.scan) throw unsupported("this backend can't scan");
      if (limit === 0) throw invalid("a scan of at most 0 entries");
      return plugin.scan({ start, end: end ?? undefined, limit: u32(limit), keysOnly });
    }),
    commit: (checks, writes) => call((plugin, description) => {
      refuseUndeclared(description, checks, writes);
      return plugin.commit(checks, writes);
    }),
  };
  const plugin = { get: () => cell.get().plugin };
  return { lifecycle: lifecycleOf(cell, log, start), kv, handoff: handoffOf(plugin, log) };
}
