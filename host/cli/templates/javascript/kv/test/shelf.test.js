import assert from "node:assert/strict";
import { test } from "node:test";

import { Settings, textFromUtf8, utf8Bytes } from "../sdk/js/src/index.js";
import { Shelf } from "../src/shelf.js";

const shelf = (now) => new Shelf(new Settings(), now);
const put = (key, value, ttlMs) => ({ key, change: { tag: "put", val: { value: utf8Bytes(value), ttlMs } } });
const text = (entry) => entry && textFromUtf8(entry.value);

test("what was put is read until it is deleted", () => {
  const store = shelf();
  assert.deepEqual(store.commit([], [put("a", "1")]), [{ tag: "written", val: 1 }]);
  assert.equal(text(store.get("a")), "1");
  assert.deepEqual(store.commit([], [{ key: "a", change: { tag: "delete" } }]), [{ tag: "deleted", val: true }]);
  assert.equal(store.get("a"), undefined);
});

test("a commit that fails writes nothing", () => {
  const store = shelf();
  store.commit([], [put("n", "1")]);
  const check = { key: "n", expect: { tag: "absent" } };
  assert.throws(() => store.commit([check], [put("a", "1")]), { kind: "conflict", message: "n" });
  assert.equal(store.get("a"), undefined);
});

test("a scan goes on where its page ended", () => {
  const store = shelf();
  store.commit([], [put("b", "2"), put("a", "1"), put("c", "3")]);
  const first = store.scan({ start: "a", end: "c", limit: 1, keysOnly: true });
  assert.deepEqual([first.entries[0].key, first.entries[0].entry.value.length, first.next], ["a", 0, "b"]);
  const second = store.scan({ start: first.next, end: "c", limit: 1, keysOnly: false });
  assert.deepEqual([second.entries[0].key, text(second.entries[0].entry), second.next], ["b", "2", undefined]);
});

test("an entry that has expired is not there", () => {
  let time = 1_000;
  const store = shelf(() => time);
  store.commit([], [put("a", "1", 10)]);
  time += 9;
  assert.equal(store.get("a").expiresInMs, 1);
  time += 1;
  assert.deepEqual(store.scan({ start: "", limit: 9, keysOnly: true }).entries, []);
  assert.equal(store.get("a"), undefined);
  assert.deepEqual(store.commit([], [{ key: "a", change: { tag: "delete" } }]), [{ tag: "deleted", val: false }]);
});
