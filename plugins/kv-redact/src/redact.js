// A layer that replaces the values of named fields in JSON before they reach any store.
//
// The invariant: under a key that is covered, no value of a named field is written; what can't be told is refused.
// Every byte outside of such a value stays as it was, so that numbers, order and spaces survive.

import { invalid, textFromUtf8, utf8Bytes } from "../../../sdk/js/src/index.js";
import { Unreadable, fieldSpans } from "./spans.js";

/** The plugin. */
export class KvRedact {
  #names;
  #prefixes;
  #replacement;
  #passesUnreadable;

  constructor(settings) {
    this.#names = words("fields", settings.require("fields"));
    this.#prefixes = words("prefixes", settings.take("prefixes") ?? "");
    this.#replacement = JSON.stringify(settings.take("replacement") ?? "[redacted]");
    this.#passesUnreadable = settings.oneOf("unreadable", ["refuse", "pass"]) === "pass";
    /** Read by the SDK. */
    this.versions = settings.oneOf("versions", ["keep", "drop"]) ?? "keep";
    settings.finish();
    if (this.#names.length === 0) throw invalid("the setting `fields` names no field");
    this.#names = new Set(this.#names.map((name) => name.toLowerCase()));
  }

  describe(next) {
    return next.describe();
  }

  get(next, key) {
    return next.get(key);
  }

  getMany(next, keys) {
    return next.getMany(keys);
  }

  scan(next, scan) {
    return next.scan(scan);
  }

  commit(next, checks, writes) {
    return next.commit(checks, writes.map((write) => this.#redacted(write)));
  }

  #redacted({ key, change }) {
    if (change.tag !== "put" || !this.#covers(key)) return { key, change };
    const value = this.#value(key, change.val.value);
    return { key, change: { tag: "put", val: { ...change.val, value } } };
  }

  #covers(key) {
    return this.#prefixes.length === 0 || this.#prefixes.some((prefix) => key.startsWith(prefix));
  }

  #value(key, value) {
    const text = textFromUtf8(value);
    const spans = text === undefined ? undefined : this.#spans(text);
    if (spans === undefined) {
      if (this.#passesUnreadable) return value;
      throw invalid(`the value of \`${key}\` is no JSON that can be read, so that its fields can't be redacted`);
    }
    if (spans.length === 0) return value;
    let [redacted, end] = ["", 0];
    for (const [from, to] of spans) {
      redacted += text.slice(end, from) + this.#replacement;
      end = to;
    }
    return utf8Bytes(redacted + text.slice(end));
  }

  /** None where the text is no JSON. */
  #spans(text) {
    try {
      const spans = fieldSpans(text, (name) => this.#names.has(name.toLowerCase()));
      // Where this is JSON, the spans are right; it is not nested too deeply for the engine, as they were found.
      JSON.parse(text);
      return spans;
    } catch (error) {
      if (error instanceof Unreadable || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }
}

function words(name, text) {
  const found = text.split(",").map((word) => word.trim()).filter((word) => word !== "");
  if (found.length > WORDS_MAX) throw invalid(`the setting \`${name}\` has ${found.length} words, more than ${WORDS_MAX}`);
  return found;
}

/** Most names or prefixes: each prefix is looked at for each write. */
const WORDS_MAX = 100;
