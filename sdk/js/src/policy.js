// Makes the exports of the world `cache-policy` of a class.
//
// Hashes of keys have 64 bits and arrive rounded to 53: they tell keys apart as well, and are not the native hashes.
// What is thrown by `observe`, `admit` or `victims` is a trap, since the contract has no error there: the host drops
// the instance and goes by its own policy.

import { Cell, guarded, lifecycleOf, mustHave, u32 } from "./boundary.js";
import { Settings } from "./settings.js";

/**
 * `export const { lifecycle, policy } = cachePolicy(Lru, { log });`
 *
 * Without `admit` everything is let in; without `resize` the limits are of no interest.
 */
export function cachePolicy(type, { log } = {}) {
  mustHave(type, ["observe", "victims"], "a cache policy");
  const cell = new Cell();
  const policy = {
    resize: ({ entriesMax, bytesMax }) => guarded(log, () => {
      cell.get().resize?.({ entriesMax: u32(entriesMax), bytesMax });
    }),
    observe: (batch) => { cell.get().observe({ ...batch, inserted: batch.inserted.map(entry) }); },
    admit: (candidates) => cell.get().admit?.(candidates.map(entry)) ?? candidates.map(() => true),
    victims: (bytes, max) => cell.get().victims(bytes, u32(max)),
  };
  return { lifecycle: lifecycleOf(cell, log, (settings) => new type(new Settings(settings))), policy };
}

/** Slots are small numbers; sizes and costs are anything of 32 bits. */
const entry = (insert) => ({ ...insert, bytes: u32(insert.bytes), costUs: u32(insert.costUs) });
