import assert from "node:assert/strict";
import { test } from "node:test";

import { LarderError, Settings, conflict, compareText, indeterminate, invalid, textFromUtf8, unavailable, utf8Bytes, utf8Length } from "../src/index.js";
import { customSection } from "../tools/section.js";

const TEXTS = ["", "a", "aa", "b", "\x7f", "é", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{10ffff}", "a\u{1f600}", "aé"];

test("texts are ordered as their bytes are", () => {
  for (const a of TEXTS) {
    for (const b of TEXTS) {
      const expected = Buffer.compare(Buffer.from(a), Buffer.from(b));
      assert.equal(Math.sign(compareText(a, b)), expected, JSON.stringify([a, b]));
    }
  }
});

test("texts go to UTF-8 and back, and nothing else does", () => {
  for (const text of TEXTS) {
    assert.equal(textFromUtf8(utf8Bytes(text)), text);
    assert.equal(utf8Length(text), Buffer.byteLength(text));
  }
  assert.equal(textFromUtf8(utf8Bytes("\ufeffa")), "\ufeffa");
  for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82]]) {
    assert.equal(textFromUtf8(new Uint8Array(bytes)), undefined);
  }
  assert.throws(() => utf8Bytes("a\ud800"), URIError);
});

test("an error says whether anything may have been written, and its context before its text", () => {
  assert.equal(indeterminate("x").effect, "unknown");
  assert.equal(invalid("x").effect, "none");
  assert.equal(unavailable("x", { retryAfterMs: 5 }).context("asking").payload.val.retryAfterMs, 5);
  assert.equal(invalid("x").context("reading").message, "reading: x");
  assert.equal(conflict("key").context("reading").message, "key");
  assert.ok(invalid("x") instanceof LarderError);
});

test("settings are taken by name, and no error shows a value", () => {
  const given = () => new Settings([["limit", "10"], ["mode", "s3cret"], ["key", "s3cret"]]);
  assert.equal(given().integer("limit", { max: 10 }), 10);
  assert.equal(given().integer("nothing"), undefined);
  for (const [read, names] of [
    [(s) => s.integer("limit", { max: 9 }), "limit"], [(s) => s.integer("key"), "key"],
    [(s) => s.oneOf("mode", ["a", "b"]), "a, b"], [(s) => s.require("nothing"), "nothing"], [(s) => s.finish(), "mode"],
  ]) {
    assert.throws(() => read(given()), ({ kind, message }) =>
      kind === "invalid" && message.includes(names) && !message.includes("s3cret"));
  }
});

test("a section is told by its length", () => {
  const section = customSection("ab", "c".repeat(300));
  assert.deepEqual([...section.subarray(0, 6)], [0, 0xaf, 0x02, 2, 0x61, 0x62]);
  assert.equal(section.length, 306);
});
