// Installs the packed package into an empty project, and runs the scenarios there: `run.mjs <runtime>…`, or all of them.
//
// TENURE_TRACES=write writes the traces of the first runtime down as those expected of all.
import { execFileSync } from "node:child_process";
import { appendFileSync, cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { bridge } from "./bridge.mjs";
import { Control } from "./control.mjs";
import { runtimes } from "./runtimes.mjs";

const here = new URL(".", import.meta.url).pathname;

function projectOf(packed) {
  const project = mkdtempSync(join(tmpdir(), "tenure-project-"));
  writeFileSync(join(project, "package.json"), '{ "private": true }');
  const words = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent", packed];
  execFileSync("npm", words, { cwd: project, stdio: "inherit" });
  for (const file of ["scenarios.mjs", "holding.mjs", "sharing.mjs", "failing.mjs", "world.mjs", "in-process.mjs", "links.mjs", "in-worker.mjs", "in-page.mjs"]) {
    cpSync(join(here, file), join(project, file));
  }
  for (const ending of ["mts", "cts"]) {
    cpSync(join(here, "consumer.ts"), join(project, `consumer.${ending}`));
  }
  return project;
}

/** No run hangs: five minutes are more than one takes on a machine that has ten times as much to do. */
function tooLong() {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error("it has come to no end")), 300_000).unref();
  });
}

/** What is wrong with a run. */
async function complaints(name, project, control) {
  try {
    const { failures, traces } = await Promise.race([runtimes[name](project, control), tooLong()]);
    if (process.env.TENURE_TRACES === "write") {
      const oneLine = (text) => text.replace(/\[\s+([^\]]*?)\s+\]/g, (list) => list.replace(/\s+/g, " "));
      writeFileSync(join(here, "traces.json"), `${oneLine(JSON.stringify(traces, null, 1))}\n`);
    }
    const expected = JSON.parse(readFileSync(join(here, "traces.json"), "utf8"));
    // For the table in tests/conformance.md.
    for (const scenario of Object.keys(traces ?? {}).filter((scenario) => !(scenario in failures))) {
      const how = Object.keys(expected[scenario] ?? {}).length > 0 ? "npm events" : "npm";
      appendFileSync(join(here, "../../../target/played.txt"), `${how}\t${scenario}\t${name}\n`);
    }
    const differ = traces === undefined ? [] : Object.keys(expected).filter(
      (scenario) => !(scenario in failures) && JSON.stringify(traces[scenario]) !== JSON.stringify(expected[scenario]),
    );
    return [
      ...Object.entries(failures).map(([scenario, why]) => `${scenario}: ${why}`),
      ...differ.map((scenario) => `${scenario}: its trace is ${JSON.stringify(traces[scenario])}`),
    ];
  } catch (error) {
    return [String(error?.stack ?? error)];
  }
}

const packed = readdirSync(join(here, "..")).find((file) => /^tenure-.*\.tgz$/.test(file));
const project = projectOf(join(here, "..", packed));
const control = await new Control().open();
bridge(control.http, (port) => control.has(port));
let failed = false;
try {
  for (const name of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(runtimes)) {
    const started = performance.now();
    const found = await complaints(name, project, control);
    failed ||= found.length > 0;
    const seconds = ((performance.now() - started) / 1_000).toFixed(1);
    console.log([`${name}: ${found.length === 0 ? "ok" : "FAILED"} (${seconds} s)`, ...found].join("\n  "));
  }
} finally {
  await control.close();
  rmSync(project, { recursive: true });
}
process.exit(failed ? 1 : 0);
