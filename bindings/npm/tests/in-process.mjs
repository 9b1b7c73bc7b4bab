// Runs the scenarios in a runtime that has a command line: `in-process.mjs <import|require> <control url>`.
import * as tenure from "tenure";
import * as clients from "tenure/clients";

import { run } from "./scenarios.mjs";

const words = globalThis.Deno?.args ?? process.argv.slice(2);
let used = { ...tenure, ...clients };
if (words[0] === "require") {
  const { createRequire } = await import("node:module");
  const require = createRequire(import.meta.url);
  used = { ...require("tenure"), ...require("tenure/clients") };
  if (used.Lock !== tenure.Lock) {
    throw new Error("import and require give different classes");
  }
}
const url = (port) => `redis://127.0.0.1:${port}`;
console.log(JSON.stringify(await run(used, { control: words[1], url })));
