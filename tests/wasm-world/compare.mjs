// Plays seeds in a WebAssembly module and compares what came of each with what a native program printed.
//
//   node compare.mjs MODULE.wasm TRACES      TRACES has the trace of seed n on line n, from 0 on; - is standard input
import { readFileSync } from "node:fs";

const [module, traces] = process.argv.slice(2);
const expected = readFileSync(traces === "-" ? 0 : traces, "utf8")
  .trim()
  .split("\n");
if (expected.length < 2 || !expected.every((line) => /^[0-9a-f]{16}$/.test(line))) {
  throw new Error(`no traces: ${expected[0]}`);
}
const { instance } = await WebAssembly.instantiate(readFileSync(module));

const differing = expected.flatMap((trace, seed) => {
  // What crosses the border is signed.
  const here = BigInt.asUintN(64, instance.exports.trace(BigInt(seed)));
  return here.toString(16).padStart(16, "0") === trace ? [] : [seed];
});
if (differing.length > 0) {
  console.error(`${differing.length} of ${expected.length} seeds differ, the first is ${differing[0]}`);
  process.exit(1);
}
console.log(`${expected.length} seeds, ${new Set(expected).size} traces, the same natively and in Node ${process.version}`);
