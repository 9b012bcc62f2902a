// Makes a component of a plugin's sources: `node sdk/js/tools/build.js`, in the folder of its package.json, which says
//
//   "larder": { "world": "kv-layer", "entry": "src/plugin.js", "output": "dist/mine.wasm", "wants": ["env TZ why"] }
//
// `wit` and `root` are where the contract is, and the folder that holds all that is imported: `wit` and `.` unless
// given. `wants` is what the plugin says it needs, for `larder plugin inspect`; it grants nothing.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";

import { customSection } from "./section.js";

const WORLDS = [
  "kv-backend", "kv-backend-handoff", "kv-layer", "blob-backend", "blob-layer", "cache-policy", "merge-policy",
];

class Refused extends Error {}

function settings() {
  const { larder } = JSON.parse(readFileSync("package.json", "utf8"));
  const { world, entry, output, wit = "wit", root = ".", wants = [] } = larder ?? {};
  if (!WORLDS.includes(world)) throw new Refused(`package.json: larder.world is one of: ${WORLDS.join(", ")}`);
  if (!entry || !output) throw new Refused("package.json: larder.entry and larder.output are file names");
  if (wants.some((line) => line.includes("\n"))) throw new Refused("package.json: larder.wants: a line for each");
  return { world, entry, output: process.env.LARDER_OUTPUT ?? output, wit, root, wants };
}

/** The one of the package, or where NODE_PATH says. */
async function componentizer() {
  const require = createRequire(resolve("package.json"));
  try {
    return (await import(pathToFileURL(require.resolve("componentize-qjs")))).componentize;
  } catch (error) {
    if (error.code === "MODULE_NOT_FOUND") throw new Refused("componentize-qjs is missing: npm ci");
    throw error;
  }
}

async function build() {
  const { world, entry, output, wit, root, wants } = settings();
  const componentize = await componentizer();
  const { component } = await componentize({
    witPath: resolve(wit),
    jsSource: readFileSync(entry, "utf8"),
    jsPath: resolve(entry),
    moduleRoot: resolve(root),
    world,
    // The contract has no async functions, and this is a third faster.
    sync: true,
  });
  const section = wants.length > 0 ? customSection("larder:wants", `${wants.join("\n")}\n`) : Buffer.alloc(0);
  const whole = Buffer.concat([component, section]);
  mkdirSync(dirname(resolve(output)), { recursive: true });
  // Renamed into place, so that nobody loads half a component.
  writeFileSync(`${output}.unfinished`, whole);
  renameSync(`${output}.unfinished`, output);
  process.stdout.write(`${output}: ${whole.length} bytes, of the world ${world}\n`);
}

try {
  await build();
} catch (error) {
  process.stderr.write(`larder: ${error instanceof Refused ? error.message : (error.stack ?? error)}\n`);
  process.exitCode = 1;
}
