// Installs the packed package into an empty project, and runs the scenarios there: `run.mjs <runtime>…`.
import { execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Control } from "./control.mjs";

const here = new URL(".", import.meta.url).pathname;
const LIMIT_MS = 180_000;

/** Runs a program of a runtime, and gives what it printed last. */
async function program(command, words) {
  const child = spawn(command, words, { cwd: project, stdio: ["ignore", "pipe", "inherit"] });
  const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  let printed = "";
  child.stdout.on("data", (chunk) => (printed += chunk));
  const [code, signal] = await once(child, "close");
  clearTimeout(timer);
  if (code !== 0) {
    throw new Error(`${command} ended with ${signal ?? code}: ${printed}`);
  }
  return JSON.parse(printed.trim().split("\n").at(-1));
}

const inProcess = (command, before, kind) => (control) =>
  program(command, [...before, "in-process.mjs", kind, control.url]);

/** How each runtime runs them. */
const runtimes = {
  "node-import": inProcess(process.execPath, [], "import"),
  "node-require": inProcess(process.execPath, [], "require"),
};

const project = mkdtempSync(join(tmpdir(), "tenure-project-"));
const packed = execFileSync("sh", ["-c", `ls ${join(here, "..")}/tenure-*.tgz`]).toString().trim();
writeFileSync(join(project, "package.json"), '{ "private": true }');
execFileSync("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", packed], { cwd: project, stdio: "inherit" });
for (const file of ["scenarios.mjs", "in-process.mjs"]) {
  cpSync(join(here, file), join(project, file));
}

const expected = JSON.parse(readFileSync(join(here, "traces.json"), "utf8"));
const control = await new Control().open();
let failed = false;
try {
  for (const name of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(runtimes)) {
    const started = performance.now();
    const complaints = [];
    try {
      const { failures, traces } = await runtimes[name](control);
      if (process.env.TENURE_TRACES === "write") {
        writeFileSync(join(here, "traces.json"), `${JSON.stringify(traces, null, 1).replace(/\[\s+([^\]]*?)\s+\]/g, (list) => list.replace(/\s+/g, " "))}\n`);
        Object.assign(expected, traces);
      }
      complaints.push(...Object.entries(failures).map(([scenario, why]) => `${scenario}: ${why}`));
      for (const [scenario, trace] of Object.entries(expected)) {
        if (!(scenario in failures) && JSON.stringify(traces[scenario]) !== JSON.stringify(trace)) {
          complaints.push(`${scenario}: its trace is ${JSON.stringify(traces[scenario])}`);
        }
      }
    } catch (error) {
      complaints.push(String(error));
    }
    failed ||= complaints.length > 0;
    const seconds = ((performance.now() - started) / 1_000).toFixed(1);
    console.log([`${name}: ${complaints.length === 0 ? "ok" : "FAILED"} (${seconds} s)`, ...complaints].join("\n  "));
  }
} finally {
  await control.close();
  rmSync(project, { recursive: true });
}
process.exit(failed ? 1 : 0);
