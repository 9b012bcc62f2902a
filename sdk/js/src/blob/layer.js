// Makes the exports of the world `blob-layer` of a class.

import { Cell, guarded, lifecycleOf, mustHave, u32 } from "../boundary.js";
import { fromHost } from "../errors.js";
import { Settings } from "../settings.js";

/** What carries bytes, or tells of their size: a layer that forgets one would let bytes around itself. */
const CARRYING = ["describe", "stat", "read", "list", "put", "begin", "part", "finish"];

/** Which parameter has 32 bits. */
const U32_AT = { read: 2, list: 2, part: 1 };

/** What carries none is passed on, unless the class has it. */
const PASSED_ON = ["deleteMany", "copy", "abort"];

/**
 * `export const { lifecycle, blob } = blobLayer(Guard, store, { log });` with `store` from "larder:store/blob@0.1.0".
 *
 * Each method gets the next store first; what that throws is a LarderError.
 */
export function blobLayer(type, store, { log } = {}) {
  mustHave(type, CARRYING, "a blob layer");
  const cell = new Cell();
  const names = [...CARRYING, ...PASSED_ON];
  const next = Object.fromEntries(names.map((name) => [name, (...given) => asked(() => store[name](...given))]));
  const start = (settings) => new type(new Settings(settings));
  const exported = (name) => (...given) => guarded(log, () => {
    const plugin = cell.get();
    const at = U32_AT[name];
    if (at !== undefined) given[at] = u32(given[at]);
    return plugin[name] ? plugin[name](next, ...given) : next[name](...given);
  });
  const blob = Object.fromEntries(names.map((name) => [name, exported(name)]));
  return { lifecycle: lifecycleOf(cell, log, start), blob };
}

function asked(work) {
  try {
    return work();
  } catch (thrown) {
    throw fromHost(thrown);
  }
}
