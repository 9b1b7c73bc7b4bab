// Runs the scenarios in a runtime that has a command line: `in-process.mjs <import|require|modes> <control url>`. With `modes`, all
// of them use the engine that has modes.
import * as tenure from "tenure";
import * as clients from "tenure/clients";
import * as locks from "tenure/locks";
import * as modes from "tenure/modes";

import { run } from "./scenarios.mjs";

const words = globalThis.Deno?.args ?? process.argv.slice(2);
let used = { ...tenure, ...clients, locks, modes, plain: tenure };
if (words[0] === "require") {
  const { createRequire } = await import("node:module");
  const require = createRequire(import.meta.url);
  used = { ...require("tenure"), ...require("tenure/clients"), locks: require("tenure/locks"), modes: require("tenure/modes"), plain: require("tenure") };
  if (used.Lock !== tenure.Lock || used.modes.Lock !== modes.Lock) {
    throw new Error("import and require give different classes");
  }
}
if (words[0] === "modes") {
  used = { ...used, ...modes };
}
const url = (port) => `redis://127.0.0.1:${port}`;
console.log(JSON.stringify(await run(used, { control: words[1], url })));
