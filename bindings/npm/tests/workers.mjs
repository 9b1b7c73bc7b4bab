// Bundles Workers and runs them in workerd: by esbuild with the package's entry for Workers, or by wrangler as it would be
// deployed.
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";

const tools = new URL("runtimes/", import.meta.url).pathname;
const from = createRequire(join(tools, "package.json"));
const DATE = "2026-01-01";

/** The modules of a Worker, the main one first. */
export async function byEsbuild(project, entry) {
  const directory = join(project, "by-esbuild");
  await from("esbuild").build({
    absWorkingDir: project,
    entryPoints: [entry],
    bundle: true,
    format: "esm",
    conditions: ["workerd"],
    external: ["cloudflare:sockets", "./engine.wasm", "./engine-modes.wasm"],
    outfile: join(directory, "index.mjs"),
    logLevel: "warning",
  });
  const engine = (file) => readFileSync(join(project, "node_modules/tenure/dist", file));
  return [
    { type: "ESModule", path: "index.mjs", contents: readFileSync(join(directory, "index.mjs"), "utf8") },
    { type: "CompiledWasm", path: "engine.wasm", contents: engine("engine.wasm") },
    { type: "CompiledWasm", path: "engine-modes.wasm", contents: engine("modes/engine-modes.wasm") },
  ];
}

/** The same, as `wrangler deploy` would send them. It makes no requests to the network. */
export async function byWrangler(project, entry) {
  const directory = join(project, `wrangler-${entry}`);
  mkdirSync(directory);
  const config = join(directory, "wrangler.json");
  writeFileSync(config, JSON.stringify({ name: "tenure-test", main: join("..", entry), compatibility_date: DATE }));
  const quiet = { WRANGLER_SEND_METRICS: "false", WRANGLER_SEND_ERROR_REPORTS: "false", WRANGLER_HIDE_BANNER: "true", CI: "1" };
  const own = { WRANGLER_LOG_PATH: join(directory, "logs"), XDG_CONFIG_HOME: directory };
  const wrangler = join(tools, "node_modules/wrangler/bin/wrangler.js");
  const words = [wrangler, "deploy", "--dry-run", "--config", config, "--outdir", join(directory, "out")];
  await promisify(execFile)(process.execPath, words, { cwd: directory, env: { ...process.env, ...quiet, ...own } });
  const files = readdirSync(join(directory, "out"));
  const named = (ending) => files.filter((file) => file.endsWith(ending));
  const module = (type) => (path) => ({ type, path, contents: readFileSync(join(directory, "out", path)) });
  return [...named(".js").map(module("ESModule")), ...named(".wasm").map(module("CompiledWasm"))];
}

/** What a Worker answers to a request. */
export async function ask(modules, url, bindings = {}) {
  const { Miniflare } = from("miniflare");
  const worker = new Miniflare({ compatibilityDate: DATE, modules, bindings });
  try {
    const response = await worker.dispatchFetch(url);
    const text = await response.text();
    if (!response.ok) {
      throw new Error(text.slice(0, 2_000));
    }
    return JSON.parse(text);
  } finally {
    await worker.dispose();
  }
}
