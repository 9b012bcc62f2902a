// Write a larder plugin in JavaScript: a class per world, one typed error, and one function that exports each.
//
// | world | class has | exported by |
// |---|---|---|
// | `kv-backend` | get, commit; scan where it declares scans | `kvBackend` |
// | `kv-layer` | describe, get, scan, commit, each with the next store | `kvLayer` |
// | `blob-backend` | stat, read, list, delete, put; copy and parts where declared | `blobBackend` |
// | `blob-layer` | describe and what carries bytes, each with the next store | `blobLayer` |
// | `cache-policy` | observe, victims | `cachePolicy` |
//
// A plugin has one thread and is never entered twice, so nothing is locked. Every function answers at once: there
// are no promises in the contract.

export {
  LarderError, conflict, corrupt, denied, indeterminate, invalid, other, staleCursor, unavailable, unsupported,
} from "./errors.js";
export { Settings } from "./settings.js";
export { compareText, textFromUtf8, utf8Bytes, utf8Length } from "./text.js";
export { kvBackend } from "./kv/backend.js";
export { kvLayer } from "./kv/layer.js";
export {
  ITEMS_MAX, KEY_BYTES_MAX, TTL_MS_MAX, VALUE_BYTES_MAX, expectationHolds, kvDescription,
} from "./kv/declared.js";
export { PageBuilder } from "./kv/page.js";
export { blobBackend } from "./blob/backend.js";
export { blobLayer } from "./blob/layer.js";
export { PART_BYTES_MAX, blobDescription, checkPath } from "./blob/declared.js";
export { cachePolicy } from "./policy.js";
