import assert from "node:assert/strict";
import { test } from "node:test";

import { Settings, invalid } from "../sdk/js/src/index.js";
import { Freezer } from "../src/freezer.js";

const freezer = (frozen) => new Freezer(new Settings([["frozen", frozen]]));

test("what is frozen is never changed, and everything else is", () => {
  const arrived = [];
  const next = {
    put: (path) => arrived.push(path),
    begin: (path) => arrived.push(path),
    copy: (_, target) => arrived.push(target),
  };
  const layer = freezer("releases/");
  for (const change of [(path) => layer.put(next, path), (path) => layer.begin(next, path), (path) => layer.copy(next, "a", path)]) {
    assert.throws(() => change("releases/1"), { kind: "denied" });
    change("pages/1");
  }
  assert.deepEqual(arrived, ["pages/1", "pages/1", "pages/1"]);
});

test("one of many that is frozen keeps none of the others", () => {
  const next = { deleteMany: ([path]) => { if (path === "bad") throw invalid("bad"); return [{ tag: "ok" }]; } };
  const answers = freezer("releases/").deleteMany(next, ["a", "releases/1", "bad", "b"]);
  assert.deepEqual(answers.map(({ tag, val }) => val?.tag ?? tag), ["ok", "denied", "invalid", "ok"]);
});

test("a setting that is not known is refused by name", () => {
  assert.throws(() => new Freezer(new Settings([["fozen", "a/"]])), { kind: "invalid", message: /fozen/ });
});
