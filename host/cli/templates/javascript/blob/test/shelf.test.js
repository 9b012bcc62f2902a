import assert from "node:assert/strict";
import { test } from "node:test";

import { Settings, textFromUtf8, utf8Bytes } from "../sdk/js/src/index.js";
import { Shelf } from "../src/shelf.js";

const shelf = () => new Shelf(new Settings());
const options = (condition) => ({ user: [], condition });
const text = (bytes) => bytes && textFromUtf8(bytes);

test("a range is short only at the end", () => {
  const store = shelf();
  store.put("a", utf8Bytes("abcdef"), options());
  for (const [offset, length, expected] of [[0, 3, "abc"], [4, 10, "ef"], [6, 1, ""], [2 ** 50, 1, ""]]) {
    assert.equal(text(store.read("a", offset, length)), expected);
  }
  assert.equal(store.read("b", 0, 1), undefined);
});

test("an upload is visible once it is finished, in the order of its parts", () => {
  const store = shelf();
  const upload = store.begin("a", options());
  const second = store.part(upload, 1, utf8Bytes("def"));
  const first = store.part(upload, 0, utf8Bytes("abc"));
  assert.equal(store.stat("a"), undefined);
  assert.equal(store.finish(upload, [first, second]).size, 6);
  assert.equal(text(store.read("a", 0, 10)), "abcdef");
  assert.throws(() => store.finish(upload, []), { kind: "invalid" });
});

test("a condition lets one writer through", () => {
  const store = shelf();
  const { etag } = store.put("a", utf8Bytes("1"), options({ tag: "absent" }));
  assert.throws(() => store.put("a", utf8Bytes("2"), options({ tag: "absent" })), { kind: "conflict", message: "a" });
  store.put("a", utf8Bytes("3"), options({ tag: "etag", val: etag }));
  assert.throws(() => store.put("a", utf8Bytes("4"), options({ tag: "etag", val: etag })), { kind: "conflict" });
});

test("a listing goes on where its page ended", () => {
  const store = shelf();
  for (const path of ["b", "a/2", "a/1"]) store.put(path, new Uint8Array(), options());
  const first = store.list("a/", undefined, 1);
  assert.deepEqual([first.entries[0].path, first.next], ["a/1", "a/2"]);
  const second = store.list("a/", first.next, 1);
  assert.deepEqual([second.entries[0].path, second.next], ["a/2", undefined]);
});
