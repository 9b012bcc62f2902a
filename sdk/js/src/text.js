// Texts as UTF-8. QuickJS has no TextEncoder; what it has natively is put together here, since a loop over the bytes
// of a value is a hundred times slower. Everywhere else the platform's own is used.

const encoder = globalThis.TextEncoder && new TextEncoder();
const decoder = globalThis.TextDecoder && new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A text as UTF-8. A text that has none (half a surrogate pair) is a URIError, never another text. */
export function utf8Bytes(text) {
  if (encoder && !/\p{Surrogate}/u.test(text)) return encoder.encode(text);
  // encodeURIComponent is what refuses half a pair; an encoder would write U+FFFD.
  const binary = unescape(encodeURIComponent(text));
  return Uint8Array.fromBase64(btoa(binary));
}

/** The text; undefined where the bytes are not UTF-8. */
export function textFromUtf8(bytes) {
  try {
    if (decoder) return decoder.decode(bytes);
    return decodeURIComponent(escape(atob(bytes.toBase64())));
  } catch (error) {
    if (error instanceof URIError || error instanceof TypeError) return undefined;
    throw error;
  }
}

/** How many bytes a text has as UTF-8. Texts of ASCII, the common case, are not encoded for it. */
export function utf8Length(text) {
  return /^[\x00-\x7f]*$/.test(text) ? text.length : utf8Bytes(text).length;
}

/**
 * Compares by the bytes of UTF-8, as the contract orders keys and paths. JavaScript's own `<` compares halves of
 * surrogate pairs, and puts an emoji before U+FFFD.
 */
export function compareText(a, b) {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  let at = 0;
  while (at < length && a.charCodeAt(at) === b.charCodeAt(at)) at += 1;
  if (at === length) return a.length - b.length;
  const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
  // Surrogates stand for what is above all that has one unit.
  return isSurrogate(left) === isSurrogate(right) ? left - right : isSurrogate(left) ? 1 : -1;
}

const isSurrogate = (unit) => unit >= 0xd800 && unit <= 0xdfff;
