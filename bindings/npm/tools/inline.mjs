// `inline.mjs <directory>`: makes engine.js of the engine there, which is the engine as text.
import { readFileSync, writeFileSync } from "node:fs";
import { inflateSync } from "node:zlib";

const [directory] = process.argv.slice(2);
const module = readFileSync(`${directory}/engine.wasm`);
const imports = WebAssembly.Module.imports(new WebAssembly.Module(module));
if (imports.length > 0) {
  throw new Error(`the engine calls JavaScript: ${JSON.stringify(imports)}`);
}
const deflated = readFileSync(`${directory}/engine.deflated`);
if (!inflateSync(deflated).equals(module)) {
  throw new Error("the compressed engine is another one");
}
writeFileSync(`${directory}/engine.js`, `export const engine = ${JSON.stringify(deflated.toString("base64"))};\n`);
writeFileSync(`${directory}/engine.d.ts`, "export declare const engine: string;\n");
