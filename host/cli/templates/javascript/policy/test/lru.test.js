import assert from "node:assert/strict";
import { test } from "node:test";

import { Settings } from "../sdk/js/src/index.js";
import { Lru } from "../src/lru.js";

const insert = (slot) => ({ slot, keyHash: slot, bytes: 10, costUs: 0 });

function observed(...batches) {
  const lru = new Lru(new Settings());
  for (const { inserted = [], hits = [], removed = [] } of batches) {
    lru.observe({ removed, inserted: inserted.map(insert), hits, misses: [] });
  }
  return lru;
}

test("what was used last goes last", () => {
  assert.deepEqual(observed({ inserted: [0, 1, 2], hits: [0] }).victims(30, 10), [1, 2, 0]);
});

test("no more go than are needed or allowed", () => {
  const lru = observed({ inserted: [0, 1, 2] });
  assert.deepEqual(lru.victims(11, 10), [0, 1]);
  assert.deepEqual(lru.victims(100, 1), [0]);
});

test("a slot that was freed is no victim, whatever is told of it", () => {
  assert.deepEqual(observed({ inserted: [0, 1] }, { removed: [0], hits: [0] }).victims(100, 10), [1]);
});

test("what fits into no cache is not let in", () => {
  const lru = observed();
  lru.resize({ entriesMax: 10, bytesMax: 9 });
  assert.deepEqual(lru.admit([insert(0)]), [false]);
});
