// Timers and clocks that somebody else has in hand: fake ones of a test, and processes that should end while a Locker is idle.
//
//   node --test tests/clocks.mjs     after ./build
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { test } from "node:test";
import { promisify } from "node:util";

import { Control } from "./control.mjs";

const path = createRequire(import.meta.url).resolve("../dist/node.cjs");
const control = await new Control().open();
const port = await control.startFresh();
test.after(() => control.close());
test.beforeEach(() => control.command(port, ["FLUSHALL"]));

/** Runs a program of its own, with real time under `real`; gives what it returns, and how it ended. */
async function program(body) {
  const code = `
    const { mock } = require("node:test");
    const { performance: real } = require("node:perf_hooks");
    const now = real.now.bind(real);
    const url = "redis://127.0.0.1:${port}";
    const load = () => require(${JSON.stringify(path)});
    /** Lets the event loop turn for so long, without a timer. */
    const pass = async (ms) => { for (const end = now() + ms; now() < end; await new Promise((resolve) => turn(resolve))); };
    const turn = setImmediate;
    const all = { apis: ["setTimeout", "setInterval", "setImmediate", "Date"] };
    (async () => { ${body} })().then((outcome) => outcome && console.log(JSON.stringify(outcome)));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--no-warnings", "-e", code], { timeout: 50_000 });
  return JSON.parse(stdout);
}

test("fake timers of a test do not stop renewals, and real ones go on behind them", async () => {
  const outcome = await program(`
    const tenure = await load().connect(url);
    const lock = await tenure.obtain("k", { ttl: 1_500 });
    mock.timers.enable(all);
    await pass(3_000);
    await lock.verify();
    const held = lock.isHeld();
    mock.timers.reset();
    await pass(1_500);
    await lock.verify();
    const proof = await lock.release();
    await tenure.close();
    return { held, proof };`);
  assert.deepEqual(outcome, { held: true, proof: "confirmed" });
});

test("a Locker that was made under fake timers wakes up when they are gone", async () => {
  const outcome = await program(`
    mock.timers.enable({ apis: ["setTimeout", "setInterval", "setImmediate"] });
    const tenure = await load().connect(url);
    const lock = await tenure.obtain("k", { ttl: 6_000 });
    mock.timers.reset();
    // A request shows that its timer is long overdue.
    for (let asked = 0; asked < 8; asked += 1) {
      await pass(1_000);
      await tenure.inspect("k");
    }
    await lock.verify();
    const proof = await lock.release();
    await tenure.close();
    return { proof };`);
  assert.deepEqual(outcome, { proof: "confirmed" });
});

test("an idle Locker lets the process end after unref, and one that is busy does not", async () => {
  const outcome = await program(`
    const { connect } = load();
    const tenure = (await connect(url)).unref();
    const lock = await tenure.obtain("k", { ttl: 900 });
    let ended;
    process.on("exit", () => console.log(JSON.stringify({ ended })));
    setTimeout(() => (ended = "too late"), 20_000).unref();
    setTimeout(async () => {
      // Nothing but the lock has kept the process alive, longer than its ttl.
      await lock.verify();
      ended = await lock.release();
    }, 2_000).unref();`);
  assert.deepEqual(outcome, { ended: "confirmed" });
});

test("after ref the process lives until close", async () => {
  const outcome = await program(`
    const tenure = (await load().connect(url)).unref().ref();
    const began = now();
    setTimeout(() => void tenure.close(), 700).unref();
    await new Promise((resolve) => process.on("exit", resolve) && setTimeout(resolve, 800).unref());
    return { lived: now() - began > 600 };`);
  assert.deepEqual(outcome, { lived: true });
});

test("a lock that is no longer renewed ends with its ttl", async () => {
  const outcome = await program(`
    // Without tracking the clock alone can say that a lease is over.
    const tenure = await load().connect(url, { tracking: false });
    const [lock, other] = await Promise.all([tenure.obtain("k", { ttl: 2_000 }), tenure.obtain("j", { ttl: 2_000 })]);
    lock.stopRenewing();
    const reason = await new Promise((resolve) => lock.signal.addEventListener("abort", () => resolve(lock.signal.reason)));
    await other.verify();
    lock.stopRenewing();
    other.stopRenewing();
    // It can still be refreshed by hand.
    await other.refresh(60_000);
    const left = other.remaining();
    await tenure.close();
    return { reason: reason.code, left: left > 50_000 };`);
  assert.deepEqual(outcome, { reason: "expired", left: true });
});
