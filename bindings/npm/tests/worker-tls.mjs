// TLS from a Worker, to a server whose authority only workerd knows: `node tests/worker-tls.mjs`, after ./build
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Control } from "./control.mjs";

const from = createRequire(new URL("runtimes/package.json", import.meta.url));
const entry = new URL("../dist/workerd.js", import.meta.url);
const directory = mkdtempSync(join(tmpdir(), "tenure-worker-"));
const control = await new Control().open();
const response = await fetch(control.url, { method: "POST", body: '{ "secure": true }' });
const { port, ca, password } = (await response.json()).result;

const worker = `
import { connect } from ${JSON.stringify(entry.pathname)};
export default {
  async fetch(request) {
    try {
      const tenure = await connect(new URL(request.url).searchParams.get("server"));
      const held = await tenure.using("k", async (lock) => (await tenure.inspect("k")).value === lock.token);
      await tenure.close();
      return Response.json({ held });
    } catch ({ code, message }) {
      return Response.json({ code, message });
    }
  },
};`;
const bundle = { stdin: { contents: worker, resolveDir: directory }, outfile: join(directory, "index.mjs"), logLevel: "warning" };
await from("esbuild").build({ ...bundle, bundle: true, format: "esm", external: ["cloudflare:sockets", "./engine.wasm"] });

// Miniflare looks for it when it is loaded, and hands it on to workerd.
writeFileSync(join(directory, "ca.pem"), ca);
process.env.NODE_EXTRA_CA_CERTS = join(directory, "ca.pem");
const { Miniflare } = from("miniflare");
const miniflare = new Miniflare({
  compatibilityDate: "2026-01-01",
  // What workerd prints when a certificate is wrong is expected here.
  handleRuntimeStdio: (stdout, stderr) => [stdout, stderr].forEach((stream) => stream.resume()),
  modules: [
    { type: "ESModule", path: "index.mjs", contents: readFileSync(join(directory, "index.mjs"), "utf8") },
    { type: "CompiledWasm", path: "engine.wasm", contents: readFileSync(new URL("../dist/engine.wasm", import.meta.url)) },
  ],
});
const ask = async (server) => (await miniflare.dispatchFetch(`http://worker/?server=${encodeURIComponent(server)}`)).json();
try {
  assert.deepEqual(await ask(`rediss://:${password}@localhost:${port}`), { held: true });
  // The certificate has no such name.
  const wrong = await ask(`rediss://:${password}@127.0.0.2:${port}`);
  assert.equal(wrong.code, "not_connected", JSON.stringify(wrong));
  assert.ok(!wrong.message.includes(password));
  console.log("workerd, TLS: ok");
} finally {
  await miniflare.dispose();
  await control.close();
  rmSync(directory, { recursive: true });
}
