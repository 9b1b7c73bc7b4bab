// Makes generated/engine.js, the engine as text.
import { readFileSync, writeFileSync } from "node:fs";
import { inflateSync } from "node:zlib";

const module = readFileSync("generated/engine.wasm");
const imports = WebAssembly.Module.imports(new WebAssembly.Module(module));
if (imports.length > 0) {
  throw new Error(`the engine calls JavaScript: ${JSON.stringify(imports)}`);
}
const deflated = readFileSync("generated/engine.deflated");
if (!inflateSync(deflated).equals(module)) {
  throw new Error("the compressed engine is another one");
}
writeFileSync("generated/engine.js", `export const engine = ${JSON.stringify(deflated.toString("base64"))};\n`);
writeFileSync("generated/engine.d.ts", "export declare const engine: string;\n");
