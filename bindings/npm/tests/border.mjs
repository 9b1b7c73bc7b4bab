// Counts what crosses the border to WebAssembly for one obtain and release: calls, and bytes that are copied.
//
//   node tests/border.mjs     after ./build
import { createRequire } from "node:module";

import { Control } from "./control.mjs";

const { connect } = createRequire(import.meta.url)("../dist/node.cjs");
const PAIRS = 1_000;

let [calls, bytesIn, bytesOut] = [0, 0, 0];
const { Instance } = WebAssembly;
WebAssembly.Instance = function (module, imports) {
  const instance = new Instance(module, imports);
  const counted = Object.entries(instance.exports).map(([name, value]) => {
    if (typeof value !== "function") {
      return [name, value];
    }
    return [
      name,
      (...values) => {
        calls += 1;
        // What was written into the engine's memory is known by its length.
        bytesIn += { obtain: values[0], received: values[1] }[name] ?? 0;
        return value(...values);
      },
    ];
  });
  return { exports: Object.fromEntries(counted) };
};
const from = Buffer.from;
Buffer.from = (value, ...more) => {
  bytesOut += value instanceof Uint8Array ? value.length : 0;
  return from(value, ...more);
};

const control = await new Control().open();
const tenure = await connect(`redis://127.0.0.1:${await control.startFresh()}`);
[calls, bytesIn, bytesOut] = [0, 0, 0];
for (let i = 0; i < PAIRS; i += 1) {
  await (await tenure.obtain("nightly")).release();
}
const each = (sum) => (sum / PAIRS).toFixed(1);
console.log(`one obtain and release: ${each(calls)} calls, ${each(bytesIn)} bytes in, ${each(bytesOut)} bytes out`);
await tenure.close();
await control.close();
