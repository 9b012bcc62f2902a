// Writes src/contract.d.ts from the contract in wit/: `node tools/declare.js`, or with `--check` says whether it is
// what would be written. The contract's part of WIT is small, and what is not known here is an error.
//
// Numbers of 64 bits are `number`, since that is what the engine gives; src/index.d.ts says which are then rounded.

import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import process from "node:process";

const WIT = new URL("../../../wit/", import.meta.url);
const TARGET = new URL("../src/contract.d.ts", import.meta.url);

const PLAIN = {
  bool: "boolean", string: "string", u8: "number", u16: "number", u32: "number", u64: "number", s32: "number",
  s64: "number", f64: "number",
};

const HEADER = `// Written by tools/declare.js from the contract in wit/, and not by hand.

/** Absent is null or undefined. */
export type Option<T> = T | null | undefined;

/** A result within a value; that of a function is returned, or thrown. */
export type Result<T, E> = { tag: "ok"; val?: T } | { tag: "err"; val: E };
`;

/** Comments, names, and the marks between them. */
function* tokens(text) {
  const token = /\s*(?:\/\/\/ ?(.*)|(->|[{}()<>:;,=@.*/]|%?[\w-]+(?:\.\d+\.\d+)?))/y;
  const end = text.trimEnd().length;
  while (token.lastIndex < end) {
    const at = token.lastIndex;
    const found = token.exec(text);
    if (found === null) throw new Error(`not understood: ${text.slice(at, at + 60)}`);
    yield found[1] !== undefined ? { comment: found[1] } : { word: found[2] };
  }
}

const camel = (name) => name.replace(/^%/, "").replace(/-(.)/g, (_, letter) => letter.toUpperCase());
const pascal = (name) => camel(name).replace(/^./, (letter) => letter.toUpperCase());

class Declarations {
  constructor(text) {
    this.tokens = [...tokens(text)];
    this.at = 0;
    this.out = [];
    this.comments = [];
  }

  /** The next word; comments before it are kept for what it begins. */
  next() {
    for (; ;) {
      const token = this.tokens[this.at++];
      if (token === undefined || token.comment === undefined) return token?.word;
      this.comments.push(token.comment);
    }
  }

  peek() {
    const [at, comments] = [this.at, [...this.comments]];
    const word = this.next();
    [this.at, this.comments] = [at, comments];
    return word;
  }

  expect(word) {
    const found = this.next();
    if (found !== word) throw new Error(`\`${word}\` instead of \`${found}\` was expected`);
  }

  optional(word) {
    const is = this.peek() === word;
    if (is) this.next();
    return is;
  }

  skipTo(word) {
    while (this.next() !== word);
    this.comments = [];
  }

  line(depth, text) {
    const indent = "  ".repeat(depth);
    if (this.comments.length > 0) {
      const one = this.comments.length === 1;
      const lines = this.comments.map((comment) => `${indent} * ${comment}`.trimEnd());
      this.out.push(one ? `${indent}/** ${this.comments[0]} */` : [`${indent}/**`, ...lines, `${indent} */`].join("\n"));
      this.comments = [];
    }
    this.out.push(text === "" ? "" : `${indent}${text}`);
  }

  type() {
    const name = this.next();
    if (name === "_") return "undefined";
    if (PLAIN[name] !== undefined) return PLAIN[name];
    if (!["list", "option", "result", "tuple"].includes(name)) return pascal(name);
    if (name === "result" && !this.optional("<")) return "Result<undefined, undefined>";
    if (name !== "result") this.expect("<");
    const inner = [];
    const isBytes = name === "list" && this.peek() === "u8";
    do inner.push(this.type()); while (this.optional(","));
    this.expect(">");
    if (isBytes) return "Uint8Array";
    if (name === "list") return `Array<${inner[0]}>`;
    if (name === "option") return `Option<${inner[0]}>`;
    return name === "tuple" ? `[${inner.join(", ")}]` : `Result<${inner[0]}, ${inner[1] ?? "undefined"}>`;
  }

  /** `{ member, member, }` */
  members(member) {
    this.expect("{");
    while (!this.optional("}")) {
      const name = this.next();
      member(name);
      this.optional(",");
    }
  }

  record(name) {
    this.line(0, `export interface ${pascal(name)} {`);
    this.members((field) => {
      const { comments } = this;
      this.comments = [];
      this.expect(":");
      const type = this.type();
      this.comments = comments;
      this.line(1, `${camel(field)}${type.startsWith("Option<") ? "?" : ""}: ${type};`);
    });
    this.line(0, "}");
  }

  flags(name) {
    this.line(0, `export interface ${pascal(name)} {`);
    this.members((flag) => this.line(1, `${camel(flag)}?: boolean;`));
    this.line(0, "}");
  }

  cases(name, text) {
    this.line(0, `export type ${pascal(name)} =`);
    this.members((one) => this.line(1, text(one)));
    this.out[this.out.length - 1] += ";";
  }

  variantCase(one) {
    if (!this.optional("(")) return `| { tag: "${one}" }`;
    const { comments } = this;
    const type = this.type();
    this.expect(")");
    this.comments = comments;
    return `| { tag: "${one}"; val: ${type} }`;
  }

  func(name) {
    const { comments } = this;
    this.comments = [];
    this.expect("func");
    this.expect("(");
    const given = [];
    while (!this.optional(")")) {
      const parameter = this.next();
      this.expect(":");
      given.push(`${camel(parameter)}: ${this.type()}`);
      this.optional(",");
    }
    const type = this.optional("->") ? this.type() : "undefined";
    this.expect(";");
    // What a function's result has as its error is thrown.
    const result = /^Result<(.*), Error>$/.exec(type)?.[1] ?? type;
    this.comments = comments;
    return `${camel(name)}(${given.join(", ")}): ${result === "undefined" ? "void" : result};`;
  }

  interface() {
    const name = this.next();
    const comments = this.comments;
    this.comments = [];
    this.expect("{");
    const functions = [];
    this.out.push(`\n/** Of the interface \`${name}\`. */\nexport namespace ${pascal(name)} {`);
    const outer = this.out;
    this.out = [];
    const uses = [];
    while (!this.optional("}")) {
      const word = this.next();
      if (word === "use") uses.push(...this.use());
      else if (word === "record") this.record(this.next());
      else if (word === "flags") this.flags(this.next());
      else if (word === "enum") this.cases(this.next(), (one) => `| "${one}"`);
      else if (word === "variant") this.cases(this.next(), (one) => this.variantCase(one));
      else if (word === "type") this.alias();
      else functions.push(this.function(word));
    }
    const body = [...uses.map((used) => `export type ${used} = Types.${used};`), ...this.out].join("\n").split("\n");
    this.out = outer;
    this.out.push(...body.map((line) => (line === "" ? "" : `  ${line}`)), "}");
    if (functions.length > 0) {
      this.comments = comments;
      this.line(0, `export interface ${pascal(name)} {`);
      const local = new RegExp(`(?<![.\\w])(${[...body.join("\n").matchAll(/export (?:type|interface) (\w+)/g)].map((m) => m[1]).join("|") || "-"})(?!\\w)`, "g");
      for (const { comments: about, text } of functions) {
        this.comments = about;
        const arrow = text.indexOf("(");
        this.line(1, text.slice(0, arrow) + text.slice(arrow).replace(local, `${pascal(name)}.$1`));
      }
      this.line(0, "}");
    }
  }

  function(name) {
    this.expect(":");
    const text = this.func(name);
    const { comments } = this;
    this.comments = [];
    return { comments, text };
  }

  use() {
    this.next();
    this.expect(".");
    const used = [];
    this.members((name) => used.push(pascal(name)));
    this.expect(";");
    return used;
  }

  alias() {
    const name = this.next();
    this.expect("=");
    const { comments } = this;
    this.comments = [];
    const type = this.type();
    this.expect(";");
    this.comments = comments;
    this.line(0, `export type ${pascal(name)} = ${type};`);
  }

  /** A whole file. */
  all() {
    for (let word = this.next(); word !== undefined; word = this.next()) {
      if (word === "interface") this.interface();
      // Worlds are no types, and the package's comment is the contract's own.
      else if (word === "world") this.skipTo("}");
      else if (word === "package") this.skipTo(";");
      else throw new Error(`\`${word}\` is nothing that begins a declaration`);
    }
    return this.out.join("\n");
  }
}

const files = readdirSync(WIT).filter((name) => name.endsWith(".wit")).sort();
const declared = files.map((name) => new Declarations(readFileSync(new URL(name, WIT), "utf8")).all());
const text = `${HEADER}${declared.join("\n")}\n`;
if (!process.argv.includes("--check")) {
  writeFileSync(TARGET, text);
} else if (readFileSync(TARGET, "utf8") !== text) {
  process.stderr.write("src/contract.d.ts is not what wit/ says: node tools/declare.js writes it anew\n");
  process.exitCode = 1;
}
