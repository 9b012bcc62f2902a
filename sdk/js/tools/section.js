// A custom section, as it stands in a WebAssembly file: after the component, which need not be understood for it.

/** The bytes of a section with this name and text. */
export function customSection(name, text) {
  const body = Buffer.concat([sized(Buffer.from(name)), Buffer.from(text)]);
  return Buffer.concat([Buffer.from([0]), sized(body)]);
}

function sized(bytes) {
  const length = [];
  let rest = bytes.length;
  do {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return Buffer.concat([Buffer.from(length), bytes]);
}
