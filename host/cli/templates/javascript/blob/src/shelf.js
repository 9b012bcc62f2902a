// A blob backend in its own memory. A plugin has one thread and is never entered twice, so nothing is locked.
//
// The one invariant: what is in `#blobs` is whole; what is being written in parts is in `#uploads`.

import { blobDescription, checkPath, compareText, conflict, invalid } from "../sdk/js/src/index.js";

/** The plugin. */
export class Shelf {
  /** `{ data, metadata }` by path. */
  #blobs = new Map();
  /** `{ path, options, parts }` by token. */
  #uploads = new Map();
  #numberLast = 0;
  #now;

  /** `now` is the time in milliseconds, which tests turn. */
  constructor(settings, now = Date.now) {
    // Take what you know: `settings.take("folder")`. The rest is refused by name.
    settings.finish();
    this.#now = now;
  }

  describe() {
    return blobDescription({ instances: "one" });
  }

  stat(path) {
    checkPath(path);
    return this.#blobs.get(path)?.metadata;
  }

  read(path, offset, length) {
    checkPath(path);
    return this.#blobs.get(path)?.data.subarray(offset, offset + length);
  }

  list(prefix, cursor, limit) {
    const start = cursor ?? prefix;
    const isWanted = (path) => path.startsWith(prefix) && compareText(path, start) >= 0;
    const paths = [...this.#blobs.keys()].filter(isWanted).sort(compareText);
    const entries = paths.slice(0, limit).map((path) => ({ path, metadata: this.#blobs.get(path).metadata }));
    return { entries, next: paths[limit] };
  }

  delete(path) {
    checkPath(path);
    this.#blobs.delete(path);
  }

  put(path, data, options) {
    checkPath(path);
    return this.#publish(path, data, options);
  }

  copy(source, target) {
    checkPath(source);
    checkPath(target);
    const blob = this.#blobs.get(source);
    if (blob === undefined) throw invalid(`there is no blob ${JSON.stringify(source)} to copy`);
    const { contentType, user } = blob.metadata;
    this.#publish(target, blob.data, { contentType, user });
  }

  begin(path, options) {
    checkPath(path);
    const token = this.#nextNumber();
    this.#uploads.set(token, { path, options, parts: new Map() });
    return token;
  }

  part(upload, number, data) {
    this.#upload(upload).parts.set(String(number), data);
    return String(number);
  }

  finish(upload, names) {
    const { path, options, parts } = this.#upload(upload);
    const missing = names.find((name) => !parts.has(name));
    if (missing !== undefined) throw invalid(`the part ${JSON.stringify(missing)} was never stored`);
    const inOrder = names.map((name) => parts.get(name));
    const data = new Uint8Array(inOrder.reduce((bytes, part) => bytes + part.length, 0));
    let at = 0;
    for (const part of inOrder) {
      data.set(part, at);
      at += part.length;
    }
    const metadata = this.#publish(path, data, options);
    this.#uploads.delete(upload);
    return metadata;
  }

  abort(upload) {
    this.#uploads.delete(upload);
  }

  /** Makes a whole blob visible, if its condition holds. */
  #publish(path, data, { contentType, user, condition }) {
    const current = this.#blobs.get(path)?.metadata.etag;
    const holds = condition == null || (condition.tag === "absent" ? current === undefined : current === condition.val);
    if (!holds) throw conflict(path);
    const metadata = { size: data.length, etag: this.#nextNumber(), contentType, modifiedMs: this.#now(), user };
    this.#blobs.set(path, { data, metadata });
    return metadata;
  }

  #upload(token) {
    const upload = this.#uploads.get(token);
    if (upload !== undefined) return upload;
    throw invalid("there is no such upload: it was finished or aborted, or the plugin has started anew");
  }

  /** A number that was never given before: an etag, or an upload's token. */
  #nextNumber() {
    this.#numberLast += 1;
    return String(this.#numberLast);
  }
}
