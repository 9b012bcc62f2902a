// What a key-value backend declares, and the refusal of the rest.

import { isExact } from "../boundary.js";
import { invalid, unsupported } from "../errors.js";
import { utf8Length } from "../text.js";

/** Longest key, in bytes of UTF-8. */
export const KEY_BYTES_MAX = 2_048;

/** Largest value, in bytes. */
export const VALUE_BYTES_MAX = 8 << 20;

/** Largest commit of several writes, keys and values together, in bytes. */
export const COMMIT_BYTES_MAX = 16 << 20;

/** Longest time to live, in milliseconds: a hundred years. */
export const TTL_MS_MAX = 100 * 365 * 24 * 3_600 * 1_000;

/** Most keys of one `getMany`, and most checks and most writes of one commit. */
export const ITEMS_MAX = 1_000;

const FEATURES = ["scan", "ttl", "versions", "transactions"];

/** A description with the contract's limits. `instances` is "one" for a backend that keeps its data in its memory. */
export function kvDescription({
  features = [], instances = "many", maxKeyBytes = KEY_BYTES_MAX, maxValueBytes = VALUE_BYTES_MAX,
} = {}) {
  if (features.includes("counters")) {
    throw new TypeError("a plugin in JavaScript has no counters: they have 64 bits, and its numbers 53");
  }
  const unknown = features.find((name) => !FEATURES.includes(name));
  if (unknown !== undefined) throw new TypeError(`the feature "${unknown}" is none of: ${FEATURES.join(", ")}`);
  const flags = Object.fromEntries([...FEATURES, "counters"].map((name) => [name, features.includes(name)]));
  return { features: flags, instances, maxKeyBytes, maxValueBytes };
}

/** Whether an expectation holds for an entry of this version, or for none (undefined). */
export function expectationHolds({ tag, val }, version) {
  if (tag === "absent") return version === undefined;
  if (tag === "present") return version !== undefined;
  // A larger one was never given by this plugin, and may have been rounded to one that was.
  return version !== undefined && isExact(val) && version === val;
}

export function checkKey(description, key) {
  if (key === "") throw invalid("an empty key");
  const bytes = utf8Length(key);
  if (bytes > description.maxKeyBytes) throw invalid(`a key of ${bytes} bytes, more than ${description.maxKeyBytes}`);
  return bytes;
}

export function checkMany(description, keys) {
  if (keys.length > ITEMS_MAX) throw invalid(`${keys.length} keys at once, more than ${ITEMS_MAX}`);
  for (const key of keys) checkKey(description, key);
}

/** Refuses a commit that needs what is not declared, or that breaks the contract's limits. */
export function refuseUndeclared(description, checks, writes) {
  const need = (feature, name) => {
    if (!description.features[feature]) throw unsupported(`this backend has no ${name}`);
  };
  if (checks.length > ITEMS_MAX || writes.length > ITEMS_MAX) {
    throw invalid(`more than ${ITEMS_MAX} checks or writes in a commit`);
  }
  if (checks.length > 0) need("versions", "versions");
  const target = (writes[0] ?? checks[0])?.key;
  if (writes.length > 1 || checks.some(({ key }) => key !== target)) need("transactions", "transactions");
  let bytes = 0;
  for (const { key } of checks) bytes += checkKey(description, key);
  for (const { key, change } of writes) {
    bytes += checkKey(description, key);
    if (change.tag === "add") need("counters", "counters");
    if (change.tag === "put") bytes += checkPut(description, change.val, need);
  }
  // One write is the common case and may be as large as the backend's values.
  if (writes.length > 1 && bytes > COMMIT_BYTES_MAX) {
    throw invalid(`a commit of ${bytes} bytes, more than ${COMMIT_BYTES_MAX}`);
  }
  const keys = new Set(writes.map(({ key }) => key));
  if (keys.size < writes.length) throw invalid("a key is written twice in a commit");
}

function checkPut(description, { value, ttlMs }, need) {
  if (ttlMs != null) {
    need("ttl", "times to live");
    if (!(ttlMs >= 1 && ttlMs <= TTL_MS_MAX)) throw invalid(`a time to live is 1 to ${TTL_MS_MAX} ms`);
  }
  if (value.length > description.maxValueBytes) {
    throw invalid(`a value of ${value.length} bytes, more than ${description.maxValueBytes}`);
  }
  return value.length;
}
