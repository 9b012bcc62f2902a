import assert from "node:assert/strict";
import { test } from "node:test";

import { Settings, VALUE_BYTES_MAX, kvDescription, utf8Bytes } from "../sdk/js/src/index.js";
import { Guard } from "../src/guard.js";

const guard = (valueBytesMax) => new Guard(new Settings([["value-bytes-max", String(valueBytesMax)]]));
const put = (value) => [{ key: "a", change: { tag: "put", val: { value: utf8Bytes(value) } } }];

test("a value that is too large never arrives", () => {
  const arrived = [];
  const next = { commit: (_, writes) => { arrived.push(writes); return [{ tag: "written", val: 1 }]; } };
  assert.throws(() => guard(3).commit(next, [], put("four")), { kind: "invalid" });
  assert.deepEqual(arrived, []);
  assert.deepEqual(guard(3).commit(next, [], put("six")), [{ tag: "written", val: 1 }]);
  assert.deepEqual(arrived, [put("six")]);
});

test("the limit is declared and never raised", () => {
  const next = { describe: () => kvDescription({ maxValueBytes: 10 }) };
  assert.equal(guard(3).describe(next).maxValueBytes, 3);
  assert.equal(guard(VALUE_BYTES_MAX).describe(next).maxValueBytes, 10);
});

test("a setting that is no number is refused by name", () => {
  assert.throws(() => guard("much"), { kind: "invalid", message: /value-bytes-max/ });
});
