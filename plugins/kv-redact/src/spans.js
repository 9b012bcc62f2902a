// Where in a text of JSON the values of some fields stand.
//
// It walks from one mark of structure to the next, and trusts that the text is JSON: the caller has that checked
// afterwards. What is nested too deeply is refused here, since the engine's own reader would run out of its stack,
// which is no exception but the end of the instance.

/** Deepest nesting: far above any document, far below what the engine's stack takes. */
export const DEPTH_MAX = 512;

/** The text can't be read. */
export class Unreadable extends Error {}

const MARKS = /["{}[\],:]/g;

/** The places `[from, to)` of the values of fields for which `isField(name)`, in order; none is within another. */
export function fieldSpans(text, isField) {
  const spans = [];
  const open = [];
  let expectsName = false;
  // What is known of the field whose value comes next: whether it was named, and where its value may begin.
  let named = false;
  let from = 0;
  // How many open containers are such a value.
  let within = 0;
  const endScalar = (end) => {
    if (!named) return;
    const scalar = text.slice(from, end);
    const begin = from + (scalar.length - scalar.trimStart().length);
    spans.push([begin, begin + scalar.trim().length]);
    named = false;
  };
  MARKS.lastIndex = 0;
  for (let mark = MARKS.exec(text); mark !== null; mark = MARKS.exec(text)) {
    const at = mark.index;
    switch (mark[0]) {
      case '"': {
        const end = endOfString(text, at);
        if (expectsName) {
          expectsName = false;
          named = within === 0 && isField(unescaped(text.slice(at, end)));
        } else if (named) {
          spans.push([at, end]);
          named = false;
        }
        MARKS.lastIndex = end;
        break;
      }
      case ":":
        from = at + 1;
        break;
      case ",":
        endScalar(at);
        expectsName = open.at(-1)?.isObject ?? false;
        break;
      case "{":
      case "[":
        if (open.length === DEPTH_MAX) throw new Unreadable();
        open.push({ isObject: mark[0] === "{", from: named ? at : undefined });
        if (named) within += 1;
        named = false;
        expectsName = mark[0] === "{";
        break;
      default: {
        endScalar(at);
        const closed = open.pop();
        if (closed === undefined) throw new Unreadable();
        if (closed.from !== undefined) {
          within -= 1;
          spans.push([closed.from, at + 1]);
        }
        expectsName = false;
      }
    }
  }
  return spans;
}

/** The place after the quote that ends the string at `from`. */
function endOfString(text, from) {
  let end = text.indexOf('"', from + 1);
  while (end !== -1 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  if (end === -1) throw new Unreadable();
  return end + 1;
}

/** An odd number of backslashes before it. A string has its opening quote before them all. */
function isEscaped(text, at) {
  let first = at;
  while (text[first - 1] === "\\") first -= 1;
  return (at - first) % 2 === 1;
}

/** A name may be written with escapes: `"pass\u0077ord"` is the same name. */
function unescaped(string) {
  return string.includes("\\") ? JSON.parse(string) : string.slice(1, -1);
}
