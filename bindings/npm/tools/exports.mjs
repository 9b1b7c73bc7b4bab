// From what wasm-bindgen says of the module: generated/exports.d.ts, and generated/roots.json, which tells `wasm-metadce`
// what is called from outside. Only numbers cross the border, so its glue has nothing to do, and is left away.
import { readFileSync, writeFileSync } from "node:fs";

const declared = readFileSync("generated/tenure_bg.wasm.d.ts", "utf8").matchAll(/^export const (\w+): .*$/gm);
const wanted = [...declared].filter(([, name]) => !name.startsWith("__"));
for (const [line] of wanted) {
  if (!/: (\(([a-z]: (number|bigint)(, )?)*\) => (number|void)|WebAssembly\.Memory);$/.test(line)) {
    throw new Error(`more than numbers cross the border, which needs glue: ${line}`);
  }
}
writeFileSync("generated/exports.d.ts", `${wanted.map(([line]) => line).join("\n")}\n`);
const roots = wanted.map(([, name]) => ({ name, export: name }));
writeFileSync("generated/roots.json", JSON.stringify([{ name: "outside", reaches: roots.map(({ name }) => name), root: true }, ...roots]));
