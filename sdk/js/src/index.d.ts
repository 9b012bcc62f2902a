// The types of the SDK. Those of the contract itself are in contract.d.ts, written from wit/.
//
// Numbers of 64 bits are JavaScript numbers, exact up to 2^53. Times, sizes and offsets never come near. Versions may,
// where another store chose them (see `KvLayerPlugin.versions`); hashes of keys are rounded, and tell keys apart as well.

import type { Blob, Handoff, Kv, Lifecycle, Log, Option, Policy } from "./contract.js";

export type { Blob, Handoff, Kv, Lifecycle, Log, Option, Policy } from "./contract.js";

export type ErrorKind =
  | "invalid" | "unsupported" | "conflict" | "unavailable" | "indeterminate" | "denied" | "corrupt" | "stale-cursor"
  | "other";

/** What a plugin throws, and what the next store's functions throw in a layer. */
export class LarderError extends Error {
  constructor(kind: ErrorKind, message: string, options?: { retryAfterMs?: number });
  readonly kind: ErrorKind;
  readonly retryAfterMs: number | undefined;
  /** "unknown" where a write may have happened, else "none". */
  get effect(): "none" | "unknown";
  /** The same error with `context` before its text. */
  context(context: string): LarderError;
}

/** The request is malformed; nothing was written. */
export function invalid(message: string): LarderError;
/** The plugin can't do this; nothing was written. */
export function unsupported(message: string): LarderError;
/** A check on this key or path did not hold; nothing was written. */
export function conflict(key: string): LarderError;
/** Temporary; nothing was written. `retryAfterMs`: how long to wait, where the service said so. */
export function unavailable(message: string, options?: { retryAfterMs?: number }): LarderError;
/** The write may or may not have happened. */
export function indeterminate(message: string): LarderError;
/** The service refused the credentials, or the host a capability; nothing was written. */
export function denied(message: string): LarderError;
/** The stored bytes are damaged; nothing was written. */
export function corrupt(message: string): LarderError;
/** A listing can't be continued from this cursor. */
export function staleCursor(message: string): LarderError;
/** Anything else. Of a write it says nothing: it may or may not have happened. */
export function other(message: string): LarderError;

/** The plugin's settings from the configuration, as text. Take each known one, then call `finish`. */
export class Settings {
  constructor(entries?: Iterable<[string, string]>);
  /** A setting's text; undefined where it is not given. */
  take(name: string): string | undefined;
  /** A setting's text; `invalid` where it is not given. */
  require(name: string): string;
  /** A whole number from `min` to `max`; undefined where it is not given. */
  integer(name: string, range?: { min?: number; max?: number }): number | undefined;
  /** One of a few words; undefined where it is not given. */
  oneOf<Word extends string>(name: string, words: readonly Word[]): Word | undefined;
  /** Refuses what was not taken, by name. */
  finish(): void;
}

/** Compares by the bytes of UTF-8, as the contract orders keys and paths. */
export function compareText(a: string, b: string): number;
/** The text; undefined where the bytes are not UTF-8. */
export function textFromUtf8(bytes: Uint8Array): string | undefined;
/** A text as UTF-8; a URIError for half a surrogate pair. */
export function utf8Bytes(text: string): Uint8Array;
/** How many bytes a text has as UTF-8. */
export function utf8Length(text: string): number;

/** Longest key, in bytes of UTF-8. */
export const KEY_BYTES_MAX: number;
/** Largest value, in bytes. */
export const VALUE_BYTES_MAX: number;
/** Longest time to live, in milliseconds. */
export const TTL_MS_MAX: number;
/** Most keys of one `getMany`, and most checks and most writes of one commit. */
export const ITEMS_MAX: number;
/** Largest part, and largest `put`, of blobs, in bytes. */
export const PART_BYTES_MAX: number;

/** What a page is wanted of. `end` is the first key that may not be in it. */
export interface Scan {
  start: string;
  end?: string;
  limit: number;
  keysOnly: boolean;
}

/** Fills a page of a scan up to its limits. */
export class PageBuilder {
  constructor(scan: Pick<Scan, "limit">);
  /** Whether an entry fits, its value (0 where keys alone are wanted) being of this many bytes. */
  hasRoom(key: string, valueBytes: number): boolean;
  push(key: string, entry: Kv.Entry): void;
  /** The page, which goes on with `next`, the first key that did not fit. */
  endingBefore(next: string): Kv.Page;
  /** The page, which is the last. */
  ending(): Kv.Page;
}

/** A description with the contract's limits. There are no counters: they have 64 bits. */
export function kvDescription(options?: {
  features?: Array<"scan" | "ttl" | "versions" | "transactions">;
  instances?: Kv.Instances;
  maxKeyBytes?: number;
  maxValueBytes?: number;
}): Kv.Description;

/** Whether an expectation holds for an entry of this version, or for none. */
export function expectationHolds(expectation: Kv.Expectation, version: number | undefined): boolean;

/** What `kvBackend` makes a plugin of. Functions throw LarderError; anything else becomes `other`. */
export interface KvBackendPlugin {
  describe(): Kv.Description;
  health?(): void;
  get(key: string): Option<Kv.Entry>;
  getMany?(keys: string[]): Array<Option<Kv.Entry>>;
  /** Needed where `scan` is declared. */
  scan?(scan: Scan): Kv.Page;
  /** All checks and writes or nothing. Only what was declared arrives. */
  commit(checks: Kv.Check[], writes: Kv.Write[]): Kv.Outcome[];
  /** The two functions of the world `kv-backend-handoff`. */
  save?(): Uint8Array;
  restore?(snapshot: Uint8Array): void;
}

/** The store behind a layer. */
export interface NextKv {
  describe(): Kv.Description;
  get(key: string): Kv.Entry | undefined;
  getMany(keys: string[]): Array<Kv.Entry | undefined>;
  scan(scan: Scan): Kv.Page;
  commit(checks: Kv.Check[], writes: Kv.Write[]): Kv.Outcome[];
}

/** What `kvLayer` makes a plugin of. */
export interface KvLayerPlugin {
  /**
   * "drop" where the layer does without versions, and then stands in front of any store. With "keep", which is
   * what is not said, a store whose versions pass 2^53 (Redis, memcached) is refused with `unsupported`.
   */
  versions?: "keep" | "drop";
  describe(next: NextKv): Kv.Description;
  health?(): void;
  get(next: NextKv, key: string): Option<Kv.Entry>;
  getMany?(next: NextKv, keys: string[]): Array<Option<Kv.Entry>>;
  scan(next: NextKv, scan: Scan): Kv.Page;
  commit(next: NextKv, checks: Kv.Check[], writes: Kv.Write[]): Kv.Outcome[];
}

/** A description without restrictions on parts. Without `features` all of them are declared. */
export function blobDescription(options?: {
  features?: Array<keyof Blob.Features>;
  instances?: Blob.Instances;
  partBytesMin?: number;
  partBytesMax?: number;
}): Blob.Description;

/** Refuses a path that is not relative and normalised. */
export function checkPath(path: string): void;

/** What `blobBackend` makes a plugin of. What is optional is needed where it is declared. */
export interface BlobBackendPlugin {
  describe(): Blob.Description;
  health?(): void;
  stat(path: string): Option<Blob.Metadata>;
  read(path: string, offset: number, length: number): Option<Uint8Array>;
  list(prefix: string, cursor: string | undefined, limit: number): Blob.Page;
  delete(path: string): void;
  put(path: string, data: Uint8Array, options: Blob.PutOptions): Blob.Metadata;
  copy?(source: string, target: string): void;
  begin?(path: string, options: Blob.PutOptions): string;
  part?(upload: string, number: number, data: Uint8Array): string;
  finish?(upload: string, parts: string[]): Blob.Metadata;
  abort?(upload: string): void;
}

type Layered<F> = F extends (...given: infer Given) => infer Answer ? (next: Blob, ...given: Given) => Answer : never;

/** What `blobLayer` makes a plugin of: the functions of the contract, each with the next store first. */
export type BlobLayerPlugin =
  & { [Name in Exclude<keyof Blob, "deleteMany" | "copy" | "abort">]: Layered<Blob[Name]> }
  & { [Name in "deleteMany" | "copy" | "abort"]?: Layered<Blob[Name]> }
  & { health?(): void };

/** What `cachePolicy` makes a plugin of. */
export interface CachePolicyPlugin {
  health?(): void;
  resize?(limits: Policy.Limits): void;
  observe(batch: Policy.Batch): void;
  admit?(candidates: Policy.Insert[]): boolean[];
  victims(bytes: number, max: number): number[];
}

/** What a plugin of this class is made with. */
export type PluginClass<Plugin> = new (settings: Settings) => Plugin;

/** `log` from "larder:store/log@0.1.0" is told of exceptions that are no LarderError, with their stacks. */
export interface ExportOptions {
  log?: Log;
}

export function kvBackend(type: PluginClass<KvBackendPlugin>, options?: ExportOptions): {
  lifecycle: Lifecycle; kv: Kv; handoff: Handoff;
};
export function kvLayer(type: PluginClass<KvLayerPlugin>, store: Kv, options?: ExportOptions): {
  lifecycle: Lifecycle; kv: Kv;
};
export function blobBackend(type: PluginClass<BlobBackendPlugin>, options?: ExportOptions): {
  lifecycle: Lifecycle; blob: Blob;
};
export function blobLayer(type: PluginClass<BlobLayerPlugin>, store: Blob, options?: ExportOptions): {
  lifecycle: Lifecycle; blob: Blob;
};
export function cachePolicy(type: PluginClass<CachePolicyPlugin>, options?: ExportOptions): {
  lifecycle: Lifecycle; policy: Policy;
};
