// Makes generated/glue.js, of which each engine gets an instance of its own, and generated/engine.js, the engine as text.
import { readFileSync, writeFileSync } from "node:fs";
import { deflateSync } from "node:zlib";

const glue = readFileSync("generated/tenure.js", "utf8");

/** Takes a piece out of the glue; what is not there any more needs a look at the new version of wasm-bindgen. */
function without(text, from, to) {
  const start = text.indexOf(from);
  const end = to === undefined ? text.length : text.indexOf(to, start);
  if (start < 0 || end < 0) {
    throw new Error(`the glue has no ${JSON.stringify(from)} before ${JSON.stringify(to)}: look at tools/generate.mjs`);
  }
  return text.slice(0, start) + text.slice(end);
}

let body = without(glue, "let __wbg_init_promise");
body = without(body, "async function __wbg_load", "function initSync");
body = body.replace("export class Engine", "class Engine");
if (/^export /m.test(body)) {
  throw new Error("the glue exports more than the engine: look at tools/generate.mjs");
}

writeFileSync(
  "generated/glue.js",
  `export function instantiate(compiled) {
${body}
const { memory } = initSync({ module: compiled });
return { Engine, memory };
}
`,
);
writeFileSync(
  "generated/glue.d.ts",
  `import type { Engine } from "./tenure.js";
export type GlueEngine = Engine;
export interface Glue {
  readonly Engine: typeof Engine;
  readonly memory: WebAssembly.Memory;
}
/** A new instance of the module, which shares nothing with any other. */
export function instantiate(compiled: WebAssembly.Module): Glue;
`,
);

const packed = deflateSync(readFileSync("generated/engine.wasm"), { level: 9 }).toString("base64");
writeFileSync("generated/engine.js", `export const engine = ${JSON.stringify(packed)};\n`);
writeFileSync("generated/engine.d.ts", "export declare const engine: string;\n");
