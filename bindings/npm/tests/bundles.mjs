// What ends up in the bundles of those who want a part only, and in places that load the package in their own way.
//
//   node --test tests/bundles.mjs     after ./build
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const tools = createRequire(new URL("runtimes/package.json", import.meta.url));
const root = new URL("..", import.meta.url).pathname;
const directory = mkdtempSync(join(tmpdir(), "tenure-bundles-"));
mkdirSync(join(directory, "node_modules"));
symlinkSync(root, join(directory, "node_modules", "tenure"));
test.after(() => rmSync(directory, { recursive: true }));

const engines = ["dist/index.js", "dist/modes/index.js"].map((file) => readFileSync(join(root, file), "utf8").match(/"([\w+/=]{30000,})"/)[1].slice(0, 1_000));

const bundlers = {
  async esbuild(entry, outfile) {
    await tools("esbuild").build({ entryPoints: [entry], bundle: true, minify: true, format: "esm", platform: "browser", outfile, logLevel: "error" });
  },
  async webpack(entry, outfile) {
    const output = { path: directory, filename: outfile.slice(directory.length + 1) };
    const resolve = { symlinks: false };
    const stats = await new Promise((done, fail) =>
      tools("webpack")({ context: directory, mode: "production", entry, output, resolve }, (error, result) => (error ? fail(error) : done(result))),
    );
    assert.ok(!stats.hasErrors(), stats.toString("errors-only"));
  },
  async vite(entry, outfile) {
    const { build } = await import(tools.resolve("vite"));
    const rolldownOptions = { input: entry, output: { entryFileNames: "out.js" } };
    await build({ root: directory, configFile: false, logLevel: "error", build: { outDir: `${outfile}-vite`, rolldownOptions } });
    writeFileSync(outfile, readFileSync(`${outfile}-vite/out.js`));
  },
};

for (const [bundler, bundle] of Object.entries(bundlers)) {
  for (const [what, code, most] of [
    ["an error", 'import { LockLostError } from "tenure"; console.log(LockLostError);', 8_000],
    ["upstash", 'import { upstash } from "tenure/clients"; console.log(upstash);', 12_000],
    ["an error of modes", 'import { NotObtainedError } from "tenure/modes"; console.log(NotObtainedError);', 10_000],
    ["web locks", 'import { LockManager } from "tenure/locks"; console.log(LockManager);', 6_000],
  ]) {
    test(`${bundler}: who wants ${what} only does not load the engine`, async () => {
      const entry = join(directory, `${bundler}-${what.replaceAll(" ", "-")}.mjs`);
      writeFileSync(entry, code);
      await bundle(entry, `${entry}.out.js`);
      const text = readFileSync(`${entry}.out.js`, "utf8");
      assert.ok(!engines.some((engine) => text.includes(engine)), "the engine is there");
      assert.ok(text.length < most, `${text.length} bytes`);
    });
  }
}

/** As Jest does with its environment for pages: `require`, with the condition `browser`, and without much that Node has. */
test("require finds a module that it can load where a page is imitated", async () => {
  const code = `
    for (const name of ["TextEncoder", "TextDecoder", "fetch", "Request", "Blob", "DecompressionStream", "WebSocket", "crypto"]) delete globalThis[name];
    const { connect, LockLostError } = require("tenure");
    const { upstash } = require("tenure/clients");
    const [modes, { LockManager }] = [require("tenure/modes"), require("tenure/locks")];
    console.log(require.resolve("tenure"), typeof connect, LockLostError.name, typeof upstash, typeof modes.connect, typeof LockManager);`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--conditions=browser", "-e", code], { cwd: directory });
  assert.match(stdout, /dist\/index\.cjs function LockLostError function function function\n$/);
});

test("a first connect on Node does not wait for streams to inflate the engine", async () => {
  const code = `
    globalThis.DecompressionStream = undefined;
    require("tenure").connect("redis://127.0.0.1:1").catch((error) => console.log(error.name));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["-e", code], { cwd: directory });
  assert.equal(stdout, "ConnectError\n");
});
