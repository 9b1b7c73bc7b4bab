// What people read: uncaught errors, locks in logs, and names after a bundler has renamed everything.
//
//   node --test tests/printed.mjs     after ./build; TENURE_PRINT=1 prints what an uncaught error prints
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { inspect, promisify } from "node:util";
import { build } from "esbuild";

import { Control } from "./control.mjs";

const packed = createRequire(import.meta.url);
const entry = packed.resolve("../dist/node.cjs");
const { connect, InspectError, LockLostError, NotObtainedError } = packed("../dist/node.cjs");
const control = await new Control().open();
const port = await control.startFresh();
const url = `redis://127.0.0.1:${port}`;
const directory = mkdtempSync(join(tmpdir(), "tenure-printed-"));
test.after(async () => {
  await control.close();
  rmSync(directory, { recursive: true });
});
test.beforeEach(() => control.command(port, ["FLUSHALL"]));

/** What a program that fails prints. */
async function stderrOf(name, body) {
  const file = join(directory, name);
  writeFileSync(file, `const { connect } = (await import(${JSON.stringify(entry)})).default;\n${body}`);
  const { stderr } = await promisify(execFile)(process.execPath, [file], { timeout: 30_000 }).catch((error) => error);
  if (process.env.TENURE_PRINT) {
    console.log(`${stderr.length} bytes:\n${stderr}`);
  }
  return stderr;
}

for (const [name, call, words] of [
  ["obtain", 'tenure.obtain(["nightly", ...keys])', ["NotObtainedError", '"nightly" and 62 more: held by another lock of this Locker', "code: 'taken'"]],
  ["using", 'tenure.using("nightly", { ttl: 900 }, (lock) => other("DEL nightly").then(() => lock.refresh()))', ["LockLostError", '"nightly"', "code: 'taken'"]],
  ["options", 'tenure.obtain("nightly", { ttl: "30s" })', ["ArgumentError", "ttl must be a number that is not negative, not string"]],
  ["close", "tenure.close(); await tenure.inspect('nightly')", ["ClosedError"]],
]) {
  test(`an uncaught error of ${name} prints little, with its keys and who called`, async () => {
    const stderr = await stderrOf(`${name}.mjs`, `
import { connect as dial } from "node:net";
const tenure = await connect("${url}");
const keys = Array.from({ length: 62 }, (_, number) => String(number).padEnd(1_000, "x"));
const other = (words) => new Promise((resolve) => { const socket = dial(${port}, "127.0.0.1", () => socket.write(words + "\\r\\n")); socket.on("data", () => resolve(socket.destroy())); });
const held = ${name === "obtain"} && await tenure.obtain(["nightly", keys[0]]);
async function caller() {
  await ${call};
}
await caller();`);
    assert.ok(stderr.length < 2_000, `${stderr.length} bytes`);
    for (const word of [...words, "caller (file:", `${name}.mjs`]) {
      assert.ok(stderr.includes(word), `${word} is not in\n${stderr}`);
    }
    // Neither a key of a thousand bytes nor the line of a bundle.
    assert.ok(stderr.split("\n").every((line) => line.length < 600), stderr);
  });
}

test("an error has the keys it is about, and shows no more than the first", async () => {
  const tenure = await connect(url);
  const lock = await tenure.obtain(["a", Buffer.from("b")]);
  const error = await tenure.obtain(["b", "c"]).catch((error) => error);
  assert.ok(error instanceof NotObtainedError && error.name === "NotObtainedError");
  assert.deepEqual(error.keys, ["b", "c"]);
  assert.match(error.message, /^"b" and 1 more: held by another lock of this Locker for about (30|29) s more$/);
  assert.ok(!inspect(error).includes("keys"));
  const long = "x".repeat(1_024);
  const other = await tenure.obtain(long);
  const { message } = await tenure.obtain(long).catch((error) => error);
  assert.ok(message.startsWith(`"${"x".repeat(64)}…": held`), message);
  await lock.release();
  const lost = await lock.refresh().catch((error) => error);
  assert.ok(lost instanceof LockLostError && lost.keys.length === 2);
  await other.release();
  await tenure.close();
  const closed = await tenure.obtain("k").catch((error) => error);
  assert.equal(closed.code, "closed");
  assert.ok(InspectError.name === "InspectError");
});

test("an error in a chain of then shows the await that ends the chain, and only this package where there is none", async () => {
  const tenure = await connect(url);
  await tenure.obtain("k");
  const chain = () => tenure.obtain("k").then(() => assert.fail("it is held"));
  async function caller() {
    await chain();
  }
  const { stack } = await caller().catch((error) => error);
  assert.match(stack, /at async caller \(/);
  const bare = await new Promise((resolve) => void chain().catch(resolve));
  const [, ...lines] = bare.stack.split("\n");
  assert.ok(lines.length > 0 && lines.every((line) => line.includes(entry)), bare.stack);
  await tenure.close();
});

test("a lock in a log shows keys and remaining time, never the token", async () => {
  const tenure = await connect(url);
  const lock = await tenure.obtain(["a", "b"], { metadata: "host-7" });
  const shown = [inspect(lock), inspect({ lock }), JSON.stringify(lock), JSON.stringify({ lock }), `${lock}`, inspect(lock, { showHidden: true, depth: 9 })];
  for (const text of shown) {
    assert.ok(!text.includes(lock.token), text);
  }
  assert.match(shown[0], /keys: \[ 'a', 'b' \], remaining: \d/);
  const { keys, remaining } = JSON.parse(shown[2]);
  assert.deepEqual([keys, remaining > 29_000], [["a", "b"], true]);
  assert.ok(!inspect(tenure, { showHidden: true, depth: 9 }).includes(lock.token));
  await tenure.close();
});

test("an inspection separates metadata from the token", async () => {
  const tenure = await connect(url);
  const lock = await tenure.obtain("k", { metadata: "host-7" });
  const own = await tenure.obtain("own", { token: "mine", metadata: "host-7" });
  const bare = await tenure.obtain("bare");
  const found = await Promise.all(["k", "own", "bare"].map((key) => tenure.inspect(key)));
  assert.deepEqual(found.map(({ metadata }) => metadata), ["host-7", undefined, ""]);
  assert.deepEqual(found.map(({ value }) => value), [`${lock.token}host-7`, "minehost-7", bare.token]);
  await own.release();
  await tenure.close();
});

test("classes keep their names when a bundler renames them", async () => {
  const contents = `export * from ${JSON.stringify(packed.resolve("../dist/index.js"))};`;
  const outfile = join(directory, "renamed.mjs");
  await build({ stdin: { contents, resolveDir: directory }, outfile, bundle: true, minify: true, format: "esm", logLevel: "error" });
  const renamed = await import(outfile);
  for (const name of ["ArgumentError", "ClosedError", "ConnectError", "EngineError", "InspectError", "LockLostError", "NotObtainedError"]) {
    assert.equal(renamed[name].name, name);
  }
  const error = await renamed.connect("redis://h").catch((error) => error);
  assert.match(error.stack, /^ArgumentError: this runtime has no TCP/);
  assert.match(inspect(error), /^ArgumentError: this runtime/);
});
