// The contract's error, as something that can be thrown. Its texts are for people and hold no secrets.

/** What a plugin throws, and what the next store's functions throw in a layer. */
export class LarderError extends Error {
  constructor(kind, message, { retryAfterMs } = {}) {
    super(message);
    this.name = "LarderError";
    this.kind = kind;
    this.retryAfterMs = retryAfterMs;
    // The contract's own form: the engine hands this to the host.
    this.payload = { tag: kind, val: kind === "unavailable" ? { message, retryAfterMs } : message };
  }

  /** "unknown" where a write may have happened, else "none". */
  get effect() {
    return this.kind === "indeterminate" || this.kind === "other" ? "unknown" : "none";
  }

  /** The same error with `context` before its text; a conflict carries a key or path and no text. */
  context(context) {
    if (this.kind === "conflict") return this;
    return new LarderError(this.kind, `${context}: ${this.message}`, { retryAfterMs: this.retryAfterMs });
  }
}

/** The request is malformed; nothing was written. */
export const invalid = (message) => new LarderError("invalid", message);

/** The plugin can't do this; nothing was written. */
export const unsupported = (message) => new LarderError("unsupported", message);

/** A check on this key or path did not hold; nothing was written. */
export const conflict = (key) => new LarderError("conflict", key);

/** Temporary; nothing was written. `retryAfterMs`: how long to wait, where the service said so. */
export const unavailable = (message, options) => new LarderError("unavailable", message, options);

/** The write may or may not have happened. */
export const indeterminate = (message) => new LarderError("indeterminate", message);

/** The service refused the credentials, or the host a capability; nothing was written. */
export const denied = (message) => new LarderError("denied", message);

/** The stored bytes are damaged; nothing was written. */
export const corrupt = (message) => new LarderError("corrupt", message);

/** A listing can't be continued from this cursor. */
export const staleCursor = (message) => new LarderError("stale-cursor", message);

/** Anything else. Of a write it says nothing: it may or may not have happened. */
export const other = (message) => new LarderError("other", message);

// Of 32 bits: see `u32` in boundary.js.
const milliseconds = (number) => (number == null ? undefined : number >>> 0);

/** What was thrown by the host, as a LarderError; anything else as it is. */
export function fromHost(thrown) {
  const payload = thrown?.payload ?? thrown;
  if (thrown instanceof LarderError || typeof payload?.tag !== "string") return thrown;
  if (payload.tag !== "unavailable") return new LarderError(payload.tag, payload.val);
  return new LarderError(payload.tag, payload.val.message, { retryAfterMs: milliseconds(payload.val.retryAfterMs) });
}
