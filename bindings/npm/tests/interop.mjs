// A counter that is read and written in two steps, guarded by four kinds of locks at once: what they count must be exact.
//
//   node tests/interop.mjs     after ./build and `tests/setup python`
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { once } from "node:events";

import { Control } from "./control.mjs";

const from = createRequire(new URL("runtimes/package.json", import.meta.url));
const { connect } = createRequire(import.meta.url)("../dist/node.cjs");
const { default: Redlock } = await import(from.resolve("redlock").replace(/cjs/, "esm"));
const { Mutex } = from("redis-semaphore");
const { Redis } = from("ioredis");
const path = (name) => new URL(name, import.meta.url).pathname;

const [WORKERS, ROUNDS] = [4, 40];
const control = await new Control().open();
const port = await control.startFresh();
const tenure = await connect(`redis://127.0.0.1:${port}`);
const redis = new Redis(port, "127.0.0.1");
const redlock = new Redlock([redis], { retryCount: -1, retryDelay: 3, retryJitter: 3 });

const guards = {
  tenure: (work) => tenure.using("mutex:counter", { wait: Infinity, retry: { every: 3 } }, work),
  redlock: (work) => redlock.using(["mutex:counter"], 10_000, work),
  async "redis-semaphore"(work) {
    // It puts `mutex:` in front of its names.
    const mutex = new Mutex(redis, "counter", { acquireTimeout: 60_000, retryInterval: 3 });
    await mutex.acquire();
    await work();
    await mutex.release();
  },
};

/** Counts on as long as Python does, so that nobody counts alone however long a program takes to begin. */
async function worker(name, counter) {
  let done = false;
  void counter.then(() => (done = true));
  for (let round = 0; round < ROUNDS || !done; round += 1) {
    await guards[name](async () => {
      const value = Number(await redis.get("count"));
      await redis.set("count", value + 1);
      await redis.rpush("turns", name);
    });
  }
}

/** As many workers in Python, ready to begin. */
async function python() {
  const env = { ...process.env, PYTHONPATH: path("../../../target/python") };
  const words = [path("counter.py"), port, WORKERS, ROUNDS].map(String);
  const child = spawn("python3", words, { env, stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const began = await Promise.race([once(child.stdout, "data"), ended]);
  assert.match(String(began[0]), /ready/, "Python is there");
  return async () => {
    child.stdin.end("\n");
    assert.deepEqual(await ended, [0, null], "Python came to its end");
  };
}

const counter = (await python())();
const names = Object.keys(guards);
await Promise.all([counter, ...names.flatMap((name) => Array.from({ length: WORKERS }, () => worker(name, counter)))]);

const turns = await redis.lrange("turns", 0, -1);
const turnsOf = (name) => turns.filter((turn) => turn === name).length;
assert.equal(turnsOf("redis-py"), WORKERS * ROUNDS, "Python had all its turns");
for (const name of names) {
  assert.ok(turnsOf(name) >= WORKERS * ROUNDS, `${name} had all its turns`);
}
assert.equal(Number(await redis.get("count")), turns.length, "no turn was lost");
console.log(`interop: ${["redis-py", ...names].map((name) => `${name} ${turnsOf(name)}`).join(", ")}: ok`);
await tenure.close();
redis.disconnect();
await control.close();
