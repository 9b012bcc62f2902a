// Makes the exports of the world `kv-layer` of a class.
//
// Two things of the contract have 64 bits and no way through a JavaScript number: counters, which a layer therefore
// takes away, and versions, which some stores (Redis, memcached) choose among all of them. A rounded version would
// be another entry's, so that one is refused, unless the layer does without versions: `versions = "drop"`.

import { Cell, guarded, isExact, lifecycleOf, mustHave, u32 } from "../boundary.js";
import { conflict, fromHost, unsupported } from "../errors.js";
import { Settings } from "../settings.js";

/**
 * `export const { lifecycle, kv } = kvLayer(Guard, store, { log });` with `store` from "larder:store/kv@0.1.0".
 *
 * Each method gets the next store first. There is no default for what carries values: a layer that forgets one
 * would let them around itself.
 */
export function kvLayer(type, store, { log } = {}) {
  mustHave(type, ["describe", "get", "scan", "commit"], "a key-value layer");
  const cell = new Cell();
  const call = (work) => guarded(log, () => {
    const { plugin, next } = cell.get();
    return work(plugin, next);
  });
  const start = (settings) => {
    const plugin = new type(new Settings(settings));
    return { plugin, next: new NextKv(store, plugin.versions === "drop"), health: () => plugin.health?.() };
  };
  const kv = {
    describe: () => call((plugin, next) => plugin.describe(next)),
    get: (key) => call((plugin, next) => plugin.get(next, key)),
    getMany: (keys) => call((plugin, next) =>
      plugin.getMany ? plugin.getMany(next, keys) : keys.map((key) => plugin.get(next, key))),
    scan: (start, end, limit, keysOnly) => call((plugin, next) =>
      plugin.scan(next, { start, end: end ?? undefined, limit: u32(limit), keysOnly })),
    commit: (checks, writes) => call((plugin, next) => {
      if (writes.some(({ change }) => change.tag === "add")) throw unsupported("this layer has no counters");
      return plugin.commit(next, checks, writes);
    }),
  };
  return { lifecycle: lifecycleOf(cell, log, start), kv };
}

/** The store behind a layer. What it throws is a LarderError. */
class NextKv {
  #store;
  #dropsVersions;

  constructor(store, dropsVersions) {
    this.#store = store;
    this.#dropsVersions = dropsVersions;
  }

  describe() {
    const description = asked(() => this.#store.describe());
    const features = { ...description.features, counters: false };
    if (this.#dropsVersions) features.versions = false;
    return { ...description, features };
  }

  get(key) {
    return this.#entry(asked(() => this.#store.get(key)));
  }

  getMany(keys) {
    return asked(() => this.#store.getMany(keys)).map((entry) => this.#entry(entry));
  }

  scan({ start, end, limit, keysOnly }) {
    const page = asked(() => this.#store.scan(start, end, limit, keysOnly));
    return { entries: page.entries.map(({ key, entry }) => ({ key, entry: this.#entry(entry) })), next: page.next };
  }

  commit(checks, writes) {
    if (this.#dropsVersions && checks.length > 0) throw unsupported("this layer has no versions");
    // No version that is not exact was ever handed out, so that one is of no entry.
    const foreign = checks.find(({ expect }) => expect.tag === "version" && !isExact(expect.val));
    if (foreign !== undefined) throw conflict(foreign.key);
    const outcomes = asked(() => this.#store.commit(checks, writes));
    // The writes have happened: their versions are not refused here, but where they are read.
    return outcomes.map((outcome) => (outcome.tag === "written" ? { ...outcome, val: this.#written(outcome.val) } : outcome));
  }

  #entry(entry) {
    if (entry == null) return undefined;
    if (this.#dropsVersions) return { ...entry, version: 0 };
    if (!isExact(entry.version)) {
      throw unsupported("the next store has versions past 2^53, which no plugin in JavaScript can hold: let the layer do without versions");
    }
    return entry;
  }

  #written(version) {
    return this.#dropsVersions || !isExact(version) ? 0 : version;
  }
}

function asked(work) {
  try {
    return work();
  } catch (thrown) {
    throw fromHost(thrown);
  }
}
