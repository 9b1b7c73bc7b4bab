// Fails when the default entry has grown past its budget, or no longer is what size.json says.
import { readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BUDGET = 40_000;
/** Compilers differ a little between machines. */
const SLACK = 200;

const [file, committed] = ["dist/index.js", JSON.parse(readFileSync("size.json", "utf8"))];
const bytes = gzipSync(readFileSync(file), { level: 9 }).length;
console.log(`${file}: ${bytes} bytes with gzip, at most ${BUDGET}; size.json has ${committed[file]}`);
if (process.env.TENURE_SIZE === "write") {
  writeFileSync("size.json", `${JSON.stringify({ [file]: bytes })}\n`);
} else if (bytes > BUDGET || Math.abs(bytes - committed[file]) > SLACK) {
  console.log("If that is meant, write it down with TENURE_SIZE=write, and growth in the CHANGELOG, too.");
  process.exit(1);
}
