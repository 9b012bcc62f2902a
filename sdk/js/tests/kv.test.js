import assert from "node:assert/strict";
import { test } from "node:test";

import { kvBackend, kvDescription, kvLayer, expectationHolds, unavailable, utf8Bytes } from "../src/index.js";
import { Shelf } from "./shelf.js";

const put = (key, value = "v", ttlMs) => ({ key, change: { tag: "put", val: { value: utf8Bytes(value), ttlMs } } });
const add = (key) => ({ key, change: { tag: "add", val: 1 } });
const version = (key, val) => ({ key, expect: { tag: "version", val } });
const kind = (expected, part = "") => (error) =>
  error.kind === expected && error.payload.tag === expected && error.message.includes(part);

function shelf(log) {
  const plugin = kvBackend(Shelf, { log });
  plugin.lifecycle.configure([]);
  return plugin.kv;
}

test("a commit happens whole or not at all, and is read", () => {
  const kv = shelf();
  assert.deepEqual(kv.commit([], [put("a"), put("b")]), [{ tag: "written", val: 1 }, { tag: "written", val: 2 }]);
  assert.throws(() => kv.commit([version("b", 1)], [put("a", "w")]), kind("conflict", "b"));
  assert.equal(kv.get("a").version, 1);
  assert.deepEqual(kv.getMany(["b", "x", "b"]).map((entry) => entry?.version), [2, undefined, 2]);
});

test("a scan goes on where its page ended, in the order of UTF-8", () => {
  const kv = shelf();
  kv.commit([], ["\u{1f600}", "\uffff", "a", "é"].map((key) => put(key)));
  const [first, second] = [kv.scan("", null, 3, true)].flatMap((page) => [page, kv.scan(page.next, null, 3, true)]);
  const keys = [...first.entries, ...second.entries].map(({ key }) => key);
  assert.deepEqual(keys, ["a", "é", "\uffff", "\u{1f600}"]);
  assert.equal(second.next, undefined);
});

test("what is not declared never arrives", () => {
  const kv = shelf();
  assert.throws(() => kv.commit([], [put("a", "v", 1_000)]), kind("unsupported", "times to live"));
  assert.throws(() => kv.commit([], [add("a")]), kind("unsupported", "counters"));
});

test("the contract's limits are held", () => {
  const kv = shelf();
  assert.throws(() => kv.get(""), kind("invalid", "empty"));
  assert.throws(() => kv.get("é".repeat(1_025)), kind("invalid", "2050 bytes"));
  assert.throws(() => kv.commit([], [put("a"), put("a")]), kind("invalid", "twice"));
  assert.throws(() => kv.scan("", null, 0, false), kind("invalid"));
  assert.throws(() => kv.getMany(Array(1_001).fill("a")), kind("invalid", "1001"));
});

test("counters and unknown features are told when the plugin is made", () => {
  assert.throws(() => kvDescription({ features: ["counters"] }), /64 bits/);
  assert.throws(() => kvDescription({ features: ["scans"] }), /none of/);
});

test("a class without a method that it needs is no plugin", () => {
  assert.throws(() => kvBackend(class { get() {} }), /needs the method describe, commit/);
});

test("an exception of the author is an error with its stack in the log, and no trap", () => {
  const lines = [];
  class Broken extends Shelf {
    get() {
      return undefined.value;
    }
  }
  const { lifecycle, kv } = kvBackend(Broken, { log: { log: (level, line) => lines.push([level, line]) } });
  assert.throws(() => kv.get("a"), kind("other", "configured"));
  lifecycle.configure([]);
  assert.throws(() => kv.get("a"), kind("other", "TypeError"));
  assert.equal(lines[0][0], "error");
  assert.match(lines[0][1], /shelf|kv\.test/);
});

test("an unknown setting keeps the plugin out of service", () => {
  assert.throws(() => kvBackend(Shelf).lifecycle.configure([["fodler", "x"]]), kind("invalid", "fodler"));
});

test("a rounded version is no version", () => {
  assert.equal(expectationHolds({ tag: "version", val: 2 ** 53 }, 2 ** 53), false);
  assert.equal(expectationHolds({ tag: "version", val: 7 }, 7), true);
});

const all = { scan: true, ttl: true, versions: true, transactions: true, counters: true };

class Passing {
  constructor(settings) {
    this.versions = settings.take("versions");
  }
  describe(next) {
    return next.describe();
  }
  get(next, key) {
    return next.get(key);
  }
  scan(next, scan) {
    return next.scan(scan);
  }
  commit(next, checks, writes) {
    return next.commit(checks, writes);
  }
}

function layer(store, settings = []) {
  const described = { describe: () => ({ features: all, instances: "many", maxKeyBytes: 9, maxValueBytes: 9 }) };
  const { lifecycle, kv } = kvLayer(Passing, { ...described, ...store });
  lifecycle.configure(settings);
  return kv;
}

test("a layer takes counters away, and says so at an addition", () => {
  const kv = layer({});
  assert.deepEqual(kv.describe().features, { ...all, counters: false });
  assert.throws(() => kv.commit([], [add("a")]), kind("unsupported"));
});

test("a version that was rounded on its way is refused, unless the layer does without", () => {
  const store = { get: () => ({ value: new Uint8Array(), version: 2 ** 60 }), commit: () => [{ tag: "written", val: 2 ** 60 }] };
  assert.throws(() => layer(store).get("a"), kind("unsupported", "2^53"));
  assert.throws(() => layer(store).commit([version("a", 2 ** 60)], []), kind("conflict", "a"));
  const dropping = layer(store, [["versions", "drop"]]);
  assert.equal(dropping.describe().features.versions, false);
  assert.equal(dropping.get("a").version, 0);
  assert.deepEqual(dropping.commit([], [put("a")]), [{ tag: "written", val: 0 }]);
  assert.throws(() => dropping.commit([version("a", 1)], []), kind("unsupported"));
});

test("an error of the next store reaches the layer as what it is", () => {
  // The engine throws the contract's own form.
  const thrown = { tag: "unavailable", val: { message: "later", retryAfterMs: 7 } };
  const kv = layer({ get: () => { throw thrown; } });
  assert.throws(() => kv.get("a"), (error) => error.kind === "unavailable" && error.retryAfterMs === 7);
  assert.deepEqual(unavailable("later", { retryAfterMs: 7 }).payload, thrown);
});
