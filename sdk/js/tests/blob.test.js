import assert from "node:assert/strict";
import { test } from "node:test";

import { blobBackend, blobDescription, blobLayer, cachePolicy, checkPath, corrupt, denied, kvBackend } from "../src/index.js";
import { Shelf } from "./shelf.js";

const ALL = blobDescription();
const kind = (expected) => (error) => error.kind === expected;

class Answers {
  describe() {
    return blobDescription({ features: ["readRange", "ifAbsent"], instances: "one" });
  }
  stat() {
    return undefined;
  }
  read(path, offset, length) {
    return [path, offset, length];
  }
  list(prefix, cursor, limit) {
    return [prefix, cursor, limit];
  }
  delete(path) {
    if (path === "bad") throw denied("no");
    if (path === "worse") throw new TypeError("mine");
  }
  put(path, data, options) {
    return { path, data, options };
  }
}

function backend() {
  const { lifecycle, blob } = blobBackend(Answers);
  lifecycle.configure([]);
  return blob;
}

test("what is not declared never arrives", () => {
  const blob = backend();
  const options = { user: [] };
  assert.throws(() => blob.begin("a", options), kind("unsupported"));
  assert.throws(() => blob.copy("a", "b"), kind("unsupported"));
  for (const asked of [{ contentType: "a/b" }, { user: [["a", "b"]] }, { condition: { tag: "etag", val: "1" } }]) {
    assert.throws(() => blob.put("a", new Uint8Array(), { ...options, ...asked }), kind("unsupported"));
  }
  blob.put("a", new Uint8Array(), { ...options, condition: { tag: "absent" } });
});

test("one deletion that fails is no failure of the others", () => {
  const answers = backend().deleteMany(["a", "bad", "worse", "b"]);
  assert.deepEqual(answers.map(({ tag, val }) => val?.tag ?? tag), ["ok", "denied", "other", "ok"]);
});

// QuickJS was handed `u32::MAX` as -1, and a page of at most -1 entries never went forward.
test("a number of 32 bits is no negative one", () => {
  assert.deepEqual(backend().list("a", null, -1), ["a", undefined, 4_294_967_295]);
  assert.deepEqual(backend().read("a", 5, -1), ["a", 5, 4_294_967_295]);
  let limit;
  class Scanning extends Shelf {
    scan(scan) {
      limit = scan.limit;
      return super.scan(scan);
    }
  }
  const { lifecycle, kv } = kvBackend(Scanning);
  lifecycle.configure([]);
  kv.scan("", null, -1, false);
  assert.equal(limit, 4_294_967_295);
});

test("only relative normalised paths pass", () => {
  for (const good of ["a", "a/b.txt", "a/b/", "…/ü"]) checkPath(good);
  for (const bad of ["", "/", "/a", "a//b", ".", "a/../b", "..", "a/./b", "a//", "a\0"]) {
    assert.throws(() => checkPath(bad), kind("invalid"), bad);
  }
});

test("a layer passes on what carries no bytes, and has to have the rest", () => {
  class Passing {
    constructor(settings) {
      settings.finish();
    }
  }
  assert.throws(() => blobLayer(Passing, {}), /needs the method describe, stat/);
  for (const name of ["describe", "stat", "read", "list", "put", "begin", "part", "finish"]) {
    Passing.prototype[name] = (next, ...given) => next[name](...given);
  }
  const store = { describe: () => ALL, copy: (...given) => { throw corrupt(given.join()).payload; }, read: (...given) => given };
  const { lifecycle, blob } = blobLayer(Passing, store);
  lifecycle.configure([]);
  assert.equal(blob.describe(), ALL);
  assert.deepEqual(blob.read("a", 1, -1), ["a", 1, 4_294_967_295]);
  assert.throws(() => blob.copy("a", "b"), (error) => error.kind === "corrupt" && error.message === "a,b");
});

test("a policy without an opinion lets everything in", () => {
  const seen = [];
  class Fifo {
    observe({ inserted }) {
      seen.push(...inserted.map(({ bytes }) => bytes));
    }
    victims() {
      return [];
    }
  }
  const { lifecycle, policy } = cachePolicy(Fifo);
  lifecycle.configure([]);
  policy.resize({ entriesMax: -1, bytesMax: 1 });
  policy.observe({ removed: [], inserted: [{ slot: 0, bytes: -1, costUs: 1 }], hits: [], misses: [] });
  assert.deepEqual(seen, [4_294_967_295]);
  assert.deepEqual(policy.admit([{ slot: 1 }, { slot: 2 }]), [true, true]);
});
