// Makes generated/engine.js, the engine as text.
import { readFileSync, writeFileSync } from "node:fs";
import { deflateSync } from "node:zlib";

const module = readFileSync("generated/engine.wasm");
const imports = WebAssembly.Module.imports(new WebAssembly.Module(module));
if (imports.length > 0) {
  throw new Error(`the engine calls JavaScript: ${JSON.stringify(imports)}`);
}
const packed = deflateSync(module, { level: 9 }).toString("base64");
writeFileSync("generated/engine.js", `export const engine = ${JSON.stringify(packed)};\n`);
writeFileSync("generated/engine.d.ts", "export declare const engine: string;\n");
