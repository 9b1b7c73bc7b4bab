// A Locker that outlives the request that made it, in workerd: no call hangs, and no lock counts as held endlessly.
//
//   node tests/worker-life.mjs     after ./build
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Control } from "./control.mjs";

const from = createRequire(new URL("runtimes/package.json", import.meta.url));
const entry = new URL("../dist/workerd.js", import.meta.url);
const directory = mkdtempSync(join(tmpdir(), "tenure-worker-"));
const control = await new Control().open();
const port = await control.startFresh();

const worker = `
import { connect } from ${JSON.stringify(entry.pathname)};
let tenure, lock;
const settled = (promise) => promise.then((value) => value ?? "done", (error) => error.code ?? String(error));
const soon = (promise) => Promise.race([settled(promise), new Promise((resolve) => setTimeout(resolve, 8_000, "nothing happened"))]);
export default {
  async fetch(request) {
    if (tenure === undefined) {
      tenure = await connect("redis://127.0.0.1:${port}", { requestTimeout: 500 });
      lock = await tenure.obtain("k", { ttl: 1_500 });
      return Response.json({ held: lock.isHeld() });
    }
    // Longer than the lock lasts without a renewal.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    return Response.json({ held: lock.isHeld(), other: await soon(tenure.obtain("j").then(() => "obtained")), verify: await soon(lock.verify()) });
  },
};`;
const bundle = { stdin: { contents: worker, resolveDir: directory }, outfile: join(directory, "index.mjs"), logLevel: "warning" };
await from("esbuild").build({ ...bundle, bundle: true, format: "esm", external: ["cloudflare:sockets", "./engine.wasm"] });
const { Miniflare } = from("miniflare");
const miniflare = new Miniflare({
  compatibilityDate: "2026-01-01",
  handleRuntimeStdio: (stdout, stderr) => [stdout, stderr].forEach((stream) => stream.resume()),
  modules: [
    { type: "ESModule", path: "index.mjs", contents: readFileSync(join(directory, "index.mjs"), "utf8") },
    { type: "CompiledWasm", path: "engine.wasm", contents: readFileSync(new URL("../dist/engine.wasm", import.meta.url)) },
  ],
});
try {
  const ask = async () => (await miniflare.dispatchFetch("http://worker/")).json();
  assert.deepEqual(await ask(), { held: true });
  const second = await ask();
  console.log(JSON.stringify(second));
  assert.equal(second.held, false, "a lock that nobody renewed does not count as held");
  console.log("workerd, a Locker of another request: ok");
} finally {
  await miniflare.dispose();
  await control.close();
  rmSync(directory, { recursive: true });
}
