import assert from "node:assert/strict";
import { test } from "node:test";

import { LarderError, Settings, utf8Bytes } from "../../../sdk/js/src/index.js";
import { KvRedact } from "../src/redact.js";
import { DEPTH_MAX } from "../src/spans.js";

/** What reaches the next store of a text written under `key`. */
function written(text, settings = {}, key = "k") {
  const layer = new KvRedact(new Settings(Object.entries({ fields: "password, Token", ...settings })));
  let arrived;
  const next = { commit: (_, writes) => { arrived = writes; return []; } };
  const value = typeof text === "string" ? utf8Bytes(text) : text;
  layer.commit(next, [], [{ key, change: { tag: "put", val: { value, ttlMs: 5 } } }]);
  assert.equal(arrived[0].change.val.ttlMs, 5);
  return new TextDecoder().decode(arrived[0].change.val.value);
}

const MARK = '"[redacted]"';

test("a named field loses its value, whatever that is", () => {
  for (const value of ['"s3cret"', "12", " 12 ", "null", "[1,{\"password\":2}]", "{}", '{"a":"b"}', '"\\"}"', '"\\\\"']) {
    const expected = `{"a":1,"password":${value.replace(value.trim(), () => MARK)},"b":[2]}`;
    assert.equal(written(`{"a":1,"password":${value},"b":[2]}`), expected, value);
  }
});

test("names are found at any depth, in any case, and behind escapes", () => {
  for (const name of ["password", "PassWord", "pass\\u0077ord", "TOKEN"]) {
    assert.equal(written(`[[{"x":{"${name}":1}}]]`), `[[{"x":{"${name}":${MARK}}}]]`);
  }
});

test("every occurrence of a name is found, also of one that is there twice", () => {
  assert.equal(written('{"password":1,"password":2}'), `{"password":${MARK},"password":${MARK}}`);
});

test("what only looks like a field stays", () => {
  for (const text of ['{"a":"password"}', '["password",":",1]', '{"a":"{\\"password\\":1}"}', '{"passwords":1}', '"x"', "1"]) {
    assert.equal(written(text), text);
  }
});

test("every other byte stays, numbers of any size included", () => {
  const text = ' {"id" : 12345678901234567890 ,\n"é": 1.0e5, "😀":"\\u00e9" , "token" :\t"t" } ';
  assert.equal(written(text), text.replace('"t"', MARK));
});

test("redacting twice is redacting once", () => {
  const once = written('{"password":{"a":1}}');
  assert.equal(written(once), once);
});

test("what can't be read is refused, without a word of it", () => {
  const deep = "[".repeat(DEPTH_MAX + 1) + "]".repeat(DEPTH_MAX + 1);
  for (const text of ["", "s3cret", '{"password":', '{"a":1}}', '{"password" 1}', '"', deep, new Uint8Array([0xff]), "{'password':1}"]) {
    const isRefused = (error) => error instanceof LarderError && error.kind === "invalid" && !error.message.includes("s3cret");
    assert.throws(() => written(text), isRefused, String(text));
  }
});

test("what can't be read is passed on where that is asked for", () => {
  assert.equal(written("no json", { unreadable: "pass" }), "no json");
});

test("only keys that are covered are looked at", () => {
  const settings = { prefixes: "users/,sessions/" };
  assert.equal(written('{"password":1}', settings, "pages/1"), '{"password":1}');
  assert.equal(written('{"password":1}', settings, "sessions/1"), `{"password":${MARK}}`);
});

test("the replacement is a text, whatever it holds", () => {
  assert.equal(written('{"password":1}', { replacement: 'a"$&' }), '{"password":"a\\"$&"}');
});

test("settings that make no sense are refused by name", () => {
  const configure = (entries) => new KvRedact(new Settings(Object.entries(entries)));
  for (const [entries, name] of [
    [{}, "fields"], [{ fields: " , " }, "fields"], [{ fields: "a", fodler: "b" }, "fodler"],
    [{ fields: "a", unreadable: "maybe" }, "unreadable"], [{ fields: "a", versions: "some" }, "versions"],
  ]) {
    assert.throws(() => configure(entries), (error) => error.kind === "invalid" && error.message.includes(name));
  }
});

test("random documents keep everything but the values of named fields", () => {
  let seed = 7;
  const random = (below) => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) % below;
  const document = (depth) => {
    const kind = random(depth > 4 ? 3 : 5);
    if (kind < 3) return [random(1_000), `a"\\{[,:${random(9)}😀`, null][kind];
    if (kind === 3) return Array.from({ length: random(4) }, () => document(depth + 1));
    return Object.fromEntries(Array.from({ length: random(5) }, (_, i) => [["password", "b\"", "c", `n${i}`, "tokens"][random(5)], document(depth + 1)]));
  };
  const redacted = (value) => {
    if (Array.isArray(value)) return value.map(redacted);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, name === "password" ? "[redacted]" : redacted(inner)]));
  };
  for (let round = 0; round < 2_000; round += 1) {
    const value = document(0);
    for (const text of [JSON.stringify(value), JSON.stringify(value, null, 2)]) {
      assert.deepEqual(JSON.parse(written(text)), redacted(value), text);
    }
  }
});
