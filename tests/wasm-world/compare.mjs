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
if (new Set(expected).size < expected.length) {
  throw new Error("some seeds have the same trace: then equal traces prove little");
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
console.log(`${expected.length} seeds, each with a trace of its own, the same natively and in Node ${process.version}`);
