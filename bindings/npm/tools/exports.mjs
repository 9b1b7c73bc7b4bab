// `exports.mjs <directory>`: from what wasm-bindgen says of the module there, exports.d.ts, and roots.json, which tells `wasm-metadce`
// what is called from outside. Only numbers cross the border, so its glue has nothing to do, and is left away.
import { readFileSync, writeFileSync } from "node:fs";

const [directory] = process.argv.slice(2);
const declared = readFileSync(`${directory}/tenure_bg.wasm.d.ts`, "utf8").matchAll(/^export const (\w+): .*$/gm);
const wanted = [...declared].filter(([, name]) => !name.startsWith("__"));
for (const [line] of wanted) {
  if (!/: (\(([a-z]: (number|bigint)(, )?)*\) => (number|void)|WebAssembly\.Memory);$/.test(line)) {
    throw new Error(`more than numbers cross the border, which needs glue: ${line}`);
  }
}
writeFileSync(`${directory}/exports.d.ts`, `${wanted.map(([line]) => line).join("\n")}\n`);
const roots = wanted.map(([, name]) => ({ name, export: name }));
writeFileSync(`${directory}/roots.json`, JSON.stringify([{ name: "outside", reaches: roots.map(({ name }) => name), root: true }, ...roots]));
