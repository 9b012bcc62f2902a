// Between the engine and the author's class.
//
// The invariant: what is thrown here is a LarderError. The engine turns anything else into a trap, and a trap costs
// the instance and all that it keeps. The host's `log` gets the stack, since the contract's error has no place for it.

import { LarderError, fromHost, other } from "./errors.js";

/** Numbers of 64 bits arrive as JavaScript numbers, which are exact to here. */
export const isExact = (number) => Number.isSafeInteger(number);

/** A number of 32 bits, which the engine hands over as a negative one from 2^31 on. */
export const u32 = (number) => number >>> 0;

/** Calls the author's code. */
export function guarded(log, work) {
  try {
    return work();
  } catch (thrown) {
    const error = fromHost(thrown);
    if (error instanceof LarderError) throw error;
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    log?.log("error", `${text}\n${error?.stack ?? ""}`);
    throw other(`the plugin failed: ${text}`);
  }
}

/** The one instance of the author's class, made by `configure`. */
export class Cell {
  #plugin;

  set(plugin) {
    this.#plugin = plugin;
  }

  get() {
    if (this.#plugin === undefined) throw other("the plugin was called before it was configured");
    return this.#plugin;
  }
}

/** Methods that a class must have; their absence is told when the component is built, not when they are called. */
export function mustHave(type, names, what) {
  const missing = names.filter((name) => typeof type.prototype[name] !== "function");
  if (missing.length > 0) throw new TypeError(`${what} needs the method ${missing.join(", ")}`);
}

/** The functions of `handoff`, of a class that has `save` and `restore`; a component exports them or not. */
export const handoffOf = (cell, log) => ({
  save: () => guarded(log, () => cell.get().save()),
  restore: (snapshot) => guarded(log, () => { cell.get().restore(snapshot); }),
});

/** `configure` and `health`, the same in every world. */
export const lifecycleOf = (cell, log, start) => ({
  configure: (settings) => guarded(log, () => cell.set(start(settings))),
  health: () => guarded(log, () => { cell.get().health?.(); }),
});
