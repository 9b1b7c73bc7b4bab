// Fails when an entry has grown past what size.json allows. Growth needs a line in the CHANGELOG, too.
import { readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

/** Compilers differ a little between machines. */
const SLACK = 300;

const committed = JSON.parse(readFileSync("size.json", "utf8"));
const actual = {};
for (const file of ["dist/index.js", "dist/engine.wasm", "dist/modes/index.js", "dist/modes/engine-modes.wasm", "dist/locks.js"]) {
  actual[file] = gzipSync(readFileSync(file), { level: 9 }).length;
  console.log(`${file}: ${actual[file]} bytes with gzip; size.json has ${committed[file]}`);
}
if (process.env.TENURE_SIZE === "write") {
  writeFileSync("size.json", `${JSON.stringify(actual, null, 2)}\n`);
} else if (Object.keys(actual).some((file) => !(actual[file] <= committed[file] + SLACK))) {
  console.log("It has grown. If that is meant, write it down with TENURE_SIZE=write node tools/size.mjs");
  process.exit(1);
}
