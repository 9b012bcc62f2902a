// Written by tools/declare.js from the contract in wit/, and not by hand.

/** Absent is null or undefined. */
export type Option<T> = T | null | undefined;

/** A result within a value; that of a function is returned, or thrown. */
export type Result<T, E> = { tag: "ok"; val?: T } | { tag: "err"; val: E };

/** Of the interface `blob`. */
export namespace Blob {
  export type Error = Types.Error;
  /** What the backend can do beyond stat, whole reads, put, parts, delete and list. */
  export interface Features {
    /** `read` with an offset or less than the whole. */
    readRange?: boolean;
    /** `list` goes below the folders of the prefix; without it the host refuses recursive listings. */
    listRecursive?: boolean;
    /** `copy`. */
    copy?: boolean;
    /** `begin`, `part`, `finish`, `abort`. */
    multipart?: boolean;
    /** `condition.absent`. */
    ifAbsent?: boolean;
    /** `condition.etag`. */
    ifMatch?: boolean;
    /** Keeps `content-type`. */
    contentType?: boolean;
    /** Keeps `user` metadata. */
    userMetadata?: boolean;
  }
  /** How many instances may serve the same data. */
  export type Instances =
    /** Any number: the data is elsewhere. */
    | "many"
    /** One: the instance owns the data. */
    | "one";
  /** What the backend declares of itself; the same from each instance of one configuration. */
  export interface Description {
    /** What it can do. */
    features: Features;
    /** How many instances may serve the same data. */
    instances: Instances;
    /** Smallest part but for the last one; 0 where any size will do. */
    partBytesMin: number;
    /** Largest part, and largest `put`; at most 8 MiB. */
    partBytesMax: number;
  }
  /** What is known of a blob. */
  export interface Metadata {
    /** Size in bytes. */
    size: number;
    /** Changes with the content; compared only for equality. */
    etag?: Option<string>;
    /** As it was put. */
    contentType?: Option<string>;
    /** When it was last written, in milliseconds since the Unix epoch. */
    modifiedMs?: Option<number>;
    /** As it was put. */
    user: Array<[string, string]>;
  }
  /** What must be so for a put to happen; else `conflict`. */
  export type Condition =
    /** There is no blob. */
    | { tag: "absent" }
    /** There is one with this etag. */
    | { tag: "etag"; val: string };
  /** What a put carries besides bytes. What the backend can't keep is `unsupported`. */
  export interface PutOptions {
    /** A media type. */
    contentType?: Option<string>;
    /** Names and values, for the user. */
    user: Array<[string, string]>;
    /** When to write; held at `put` and at `finish`. */
    condition?: Option<Condition>;
  }
  /** A blob in a listing. */
  export interface Listed {
    /** Its path; that of a folder ends in `/`. */
    path: string;
    /** What is known of it. */
    metadata: Metadata;
  }
  /** A part of a listing. It may be short or even empty and have a next one. */
  export interface Page {
    /** Ascending by the bytes of the paths. */
    entries: Array<Listed>;
    /** Where to go on, valid in any instance; none at the end. */
    next?: Option<string>;
  }
}
/**
 * Blob storage: what the host turns into an OpenDAL service.
 *
 * Paths are relative and normalised, `/` between their parts, without `.`, `..`, empty parts or a leading `/`. A
 * plugin checks them all the same.
 */
export interface Blob {
  /** What this backend is. Called after `configure`. */
  describe(): Blob.Description;
  /** What is known of a blob; none where there is none. */
  stat(path: string): Option<Blob.Metadata>;
  /** Shorter than `length` only at the end of the blob; empty past it; none where there is no blob. */
  read(path: string, offset: number, length: number): Option<Uint8Array>;
  /** Blobs whose paths begin with `prefix`, at most `limit` (1 to 1,000), at any depth; never an unfinished one. */
  list(prefix: string, cursor: Option<string>, limit: number): Blob.Page;
  /** Answers by position; deleting what is not there succeeds. */
  deleteMany(paths: Array<string>): Array<Result<undefined, Blob.Error>>;
  /** Copies a blob with its metadata, atomically; a missing source is `invalid`. */
  copy(source: string, target: string): void;
  /** A whole small blob, atomically: readers see all of it or what was there before. Answered when it is durable. */
  put(path: string, data: Uint8Array, options: Blob.PutOptions): Blob.Metadata;
  /** Begins a large one, in parts. Nothing is visible before `finish`. The token is valid in any instance. */
  begin(path: string, options: Blob.PutOptions): string;
  /** Stores part `number`, from 0 on; the same part may be sent again. Answers what `finish` wants for it. */
  part(upload: string, number: number, data: Uint8Array): string;
  /** Makes the blob of its parts, in their order, atomically. Answered when it is durable. */
  finish(upload: string, parts: Array<string>): Blob.Metadata;
  /** Forgets an upload and its parts; forgetting what is not there succeeds. */
  abort(upload: string): void;
}

/** Of the interface `kv`. */
export namespace Kv {
  export type Error = Types.Error;
  export type Version = Types.Version;
  /**
   * What the backend can do beyond get, put and delete of a key. What is not declared is answered with
   * `unsupported`.
   */
  export interface Features {
    /** `scan`. */
    scan?: boolean;
    /** `put.ttl-ms`: an expired entry is never returned, and goes away in the end. */
    ttl?: boolean;
    /** Checks in commits; `entry.version` means something. */
    versions?: boolean;
    /** Commits of several writes, or with checks on other keys than the one written. */
    transactions?: boolean;
    /** `change.add`. */
    counters?: boolean;
  }
  /** How many instances may serve the same data. */
  export type Instances =
    /** Any number: the data is elsewhere. */
    | "many"
    /** One: the instance owns the data. */
    | "one";
  /** What the backend declares of itself; the same from each instance of one configuration. */
  export interface Description {
    /** What it can do. */
    features: Features;
    /** How many instances may serve the same data. */
    instances: Instances;
    /** Longest key, at most 2,048. */
    maxKeyBytes: number;
    /** Largest value, at most 8 MiB. */
    maxValueBytes: number;
  }
  /** A value with what belongs to it. */
  export interface Entry {
    /** The bytes. Counters are ASCII decimal. */
    value: Uint8Array;
    /** Changes at each write of the key; 0 where `versions` is not declared. */
    version: Version;
    /** Time left, where it expires; at least 1. */
    expiresInMs?: Option<number>;
  }
  /** An entry under its key. */
  export interface KeyedEntry {
    /** The key. */
    key: string;
    /** The entry. */
    entry: Entry;
  }
  /** A part of a scan. It may be short or even empty and have a next one. */
  export interface Page {
    /** Ascending by the bytes of the keys. */
    entries: Array<KeyedEntry>;
    /** The first key not returned, or none at the end of the range. */
    next?: Option<string>;
  }
  /** What must be so for a commit to happen. */
  export type Expectation =
    /** There is no entry. */
    | { tag: "absent" }
    /** There is one. */
    | { tag: "present" }
    /** There is one of this version. */
    | { tag: "version"; val: Version };
  /** A condition on a key. */
  export interface Check {
    /** The key. */
    key: string;
    /** What must be so. */
    expect: Expectation;
  }
  /** A value to store. */
  export interface Put {
    /** The bytes. */
    value: Uint8Array;
    /** How long it lives, at least 1; none: for good, whatever expiry the entry had before. */
    ttlMs?: Option<number>;
  }
  /** What becomes of a key. */
  export type Change =
    /** Stores a value. */
    | { tag: "put"; val: Put }
    /** Removes the entry; removing what is not there succeeds. */
    | { tag: "delete" }
    /**
     * Adds to a counter (ASCII decimal, canonical); an absent key counts as 0, an expiry stays. A value that is
     * no counter, or a sum past the range, is `invalid`.
     */
    | { tag: "add"; val: number };
  /** A change of one key. */
  export interface Write {
    /** The key. */
    key: string;
    /** What becomes of it. */
    change: Change;
  }
  /** What a write did. */
  export type Outcome =
    /** Answers `put`: the new version; 0 where `versions` is not declared. */
    | { tag: "written"; val: Version }
    /** Answers `delete`: whether there was something to delete. */
    | { tag: "deleted"; val: boolean }
    /** Answers `add`: the new value. */
    | { tag: "added"; val: number };
}
/**
 * Ordered key-value storage. Keys are UTF-8 of 1 to 2,048 bytes, ordered by their bytes.
 *
 * Functions are free of handles: any instance of a plugin answers any call. A plugin that keeps its data in its
 * own memory declares `instances: one`.
 */
export interface Kv {
  /** What this backend is. Called after `configure`. */
  describe(): Kv.Description;
  /** Reads one entry; a missing or expired one is none. */
  get(key: string): Option<Kv.Entry>;
  /** Reads up to 1,000 entries, answered by position; a key may occur twice. */
  getMany(keys: Array<string>): Array<Option<Kv.Entry>>;
  /**
   * Ascending from `start` (inclusive, may be empty) to `end` (exclusive), at most `limit` entries (1 to 1,000)
   * and about 4 MiB. With `keys-only` the values are empty.
   */
  scan(start: string, end: Option<string>, limit: number, keysOnly: boolean): Kv.Page;
  /**
   * All checks and writes or nothing; the checks see the state before the writes. Outcomes by position of the
   * writes. At most 1,000 checks and 1,000 writes; a key is written at most once.
   */
  commit(checks: Array<Kv.Check>, writes: Array<Kv.Write>): Array<Kv.Outcome>;
}

/** Of the interface `policy`. */
export namespace Policy {
  export type Error = Types.Error;
  /** A resident entry. A freed slot is not given again before the next batch. */
  export type Slot = number;
  /** How much a tier may hold. */
  export interface Limits {
    /** Most entries. */
    entriesMax: number;
    /** Most bytes. */
    bytesMax: number;
  }
  /** An entry that came in, or asks to. */
  export interface Insert {
    /** Its slot; of a candidate, the one that it will get. */
    slot: Slot;
    /** A hash of its key, the same for the same key in one run of the host. */
    keyHash: number;
    /** Key and value together. */
    bytes: number;
    /** What it cost to fetch, in microseconds. */
    costUs: number;
    /** How long it lives, where it expires. */
    ttlMs?: Option<number>;
  }
  /**
   * What happened since the last batch, to be replayed in the order of the fields. `hits` may be sampled;
   * everything else is complete.
   */
  export interface Batch {
    /** Slots that were freed. */
    removed: Array<Slot>;
    /** Entries that came in. */
    inserted: Array<Insert>;
    /** Slots that were read. */
    hits: Array<Slot>;
    /** Hashes of keys that were asked for and not there. */
    misses: Array<number>;
  }
}
/**
 * A cache policy decides what a tier keeps. It is never called on a hit: the host records what happens and
 * hands it over in batches. Slots are small dense numbers that the host gives to resident entries, so that
 * a policy can use plain arrays.
 */
export interface Policy {
  /** Called after `configure` and at each change of the limits. */
  resize(limits: Policy.Limits): void;
  /** Takes note of what happened, at most 1,024 events. */
  observe(batch: Policy.Batch): void;
  /** For each candidate, by position: shall it be let in? */
  admit(candidates: Array<Policy.Insert>): Array<boolean>;
  /**
   * The next to go, best first, at most `max`, until `bytes` are free; the host checks them and falls back to its
   * own policy.
   */
  victims(bytes: number, max: number): Array<Policy.Slot>;
}

/** Of the interface `merge`. */
export namespace Merge {
  export type Error = Types.Error;
}
/** Resolves two writers' conflicting values. */
export interface Merge {
  /** One value out of two. `base` is what both started from, where it is known. None: keep neither. */
  merge(key: string, base: Option<Uint8Array>, ours: Uint8Array, theirs: Uint8Array): Option<Uint8Array>;
}

/** Of the interface `types`. */
export namespace Types {
  /** The version of an entry. Opaque: a new one at each write of a key, compared only for equality. */
  export type Version = number;
  /**
   * The plugin's table of settings from the configuration, as text; keys are unique. A setting that the plugin
   * does not know is refused by it with `invalid`, naming the setting.
   */
  export type Settings = Array<[string, string]>;
  /** A service that can't be reached or asks to be left alone for a while. */
  export interface Unavailable {
    /** What happened, for a person. */
    message: string;
    /** How long to wait before the next try, where the service said so. */
    retryAfterMs?: Option<number>;
  }
  /** Why a call failed. The texts are for people and hold no secrets. */
  export type Error =
    /** The request is malformed; nothing was written. */
    | { tag: "invalid"; val: string }
    /** The backend can't do this; nothing was written. Never answer a request by ignoring a part of it. */
    | { tag: "unsupported"; val: string }
    /** A check did not hold; nothing was written. Carries the key or path. */
    | { tag: "conflict"; val: string }
    /** Temporary; nothing was written. */
    | { tag: "unavailable"; val: Unavailable }
    /** The write may or may not have happened. */
    | { tag: "indeterminate"; val: string }
    /** The service refused the credentials, or the host a capability; nothing was written. */
    | { tag: "denied"; val: string }
    /** The stored bytes are damaged; nothing was written. */
    | { tag: "corrupt"; val: string }
    /** A listing can't be continued from this cursor. */
    | { tag: "stale-cursor"; val: string }
    /** Anything else. Of a write it says nothing: it may or may not have happened. */
    | { tag: "other"; val: string };
}

/** Of the interface `lifecycle`. */
export namespace Lifecycle {
  export type Error = Types.Error;
  export type Settings = Types.Settings;
}
/** Exported by every plugin. */
export interface Lifecycle {
  /** Called once in each new instance, before anything else. An error keeps the plugin out of service. */
  configure(settings: Lifecycle.Settings): void;
  /** Is the service behind this plugin reachable and usable? Called before a swap and on a schedule. */
  health(): void;
}

/** Of the interface `handoff`. */
export namespace Handoff {
  export type Error = Types.Error;
}
/** Optional: hands in-memory state from one generation of a plugin to the next. */
export interface Handoff {
  /**
   * Everything that the next generation needs, in a form that says its own version. No call follows it in
   * this instance.
   */
  save(): Uint8Array;
  /**
   * Takes over what an earlier generation saved; called after `configure` and before any other call. An
   * error keeps the earlier generation in service.
   */
  restore(snapshot: Uint8Array): void;
}

/** Of the interface `log`. */
export namespace Log {
  /** How much a line matters. */
  export type Level =
    /** Each step, for the plugin's author. */
    | "trace"
    /** Decisions, for the plugin's author. */
    | "debug"
    /** Rare events in the ordinary course. */
    | "info"
    /** Something that a person may want to look at. */
    | "warn"
    /** Something that a person must look at. */
    | "error";
}
/** Imported by any plugin that wants it: lines go to the host's tracing, with the plugin's name. */
export interface Log {
  /** Writes a line; one that is too long is cut, and too many are dropped and counted. */
  log(level: Log.Level, message: string): void;
}

