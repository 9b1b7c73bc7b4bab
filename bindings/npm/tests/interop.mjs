// A counter that is read and written in two steps, guarded by three kinds of locks at once: what they count must be exact.
//
//   node tests/interop.mjs     after ./build
import assert from "node:assert/strict";
import { createRequire } from "node:module";

import { Control } from "./control.mjs";

const from = createRequire(new URL("runtimes/package.json", import.meta.url));
const { connect } = createRequire(import.meta.url)("../dist/node.cjs");
const { default: Redlock } = await import(from.resolve("redlock").replace(/cjs/, "esm"));
const { Mutex } = from("redis-semaphore");
const { Redis } = from("ioredis");

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

const done = {};
const work = (name) => async () => {
  const value = Number(await redis.get("count"));
  await redis.set("count", value + 1);
  done[name] = (done[name] ?? 0) + 1;
};
const worker = async (name) => {
  for (let round = 0; round < ROUNDS; round += 1) {
    await guards[name](work(name));
  }
};
await Promise.all(Object.keys(guards).flatMap((name) => Array.from({ length: WORKERS }, () => worker(name))));

const names = Object.keys(guards);
assert.deepEqual(done, Object.fromEntries(names.map((name) => [name, WORKERS * ROUNDS])), "everybody had all turns");
assert.equal(Number(await redis.get("count")), names.length * WORKERS * ROUNDS, "no turn was lost");
console.log(`interop: ${names.join(", ")}: ok`);
await tenure.close();
redis.disconnect();
await control.close();
