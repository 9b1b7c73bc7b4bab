// Two counters that are read and written in two steps, guarded by locks of four libraries at once, on each server: what they count
// must be exact. Under a reader or a permit nothing changes, and no more permits are used than there are.
//
//   node tests/interop.mjs            after ./build, `tests/setup servers` and `tests/setup python`
//   node tests/interop.mjs valkey9    on this server only
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { once } from "node:events";

import { Control } from "./control.mjs";

const packed = createRequire(import.meta.url);
const from = createRequire(new URL("runtimes/package.json", import.meta.url));
const plain = packed("../dist/node.cjs");
const modes = packed("../dist/modes/node.cjs");
const { default: Redlock } = await import(from.resolve("redlock").replace(/cjs/, "esm"));
const { Mutex } = from("redis-semaphore");
const { Redis } = from("ioredis");
const path = (name) => new URL(name, import.meta.url).pathname;

const [WORKERS, ROUNDS, LIMIT] = [4, 40, 2];
/** Readers and writers share the first key, permits the second one. Locks of all libraries want both. */
const NAMES = ["counter", "slots"];
const OPTIONS = { wait: Infinity, retry: { every: 3 } };
/** The server itself counts who is inside, and remembers the most. */
const ENTER = `local n = redis.call('INCR', KEYS[1])
if n > tonumber(redis.call('GET', KEYS[2]) or 0) then redis.call('SET', KEYS[2], n) end`;

/** Turns of plain locks. Those who share a key would keep it from them without a break, so each waits for one before it returns. */
class Turns {
  #waiting = [];
  #ended = false;

  next() {
    return this.#ended ? undefined : new Promise((resolve) => this.#waiting.push(resolve));
  }

  taken() {
    this.#waiting.splice(0).forEach((resolve) => resolve());
  }

  end() {
    this.#ended = true;
    this.taken();
  }
}

/** Who works on one server. */
class Trial {
  constructor(port, redis, lockers) {
    this.port = port;
    this.redis = redis;
    this.lockers = lockers;
    this.redlock = new Redlock([redis], { retryCount: -1, retryDelay: 3, retryJitter: 3 });
    this.turns = Object.fromEntries(NAMES.map((name) => [name, new Turns()]));
    this.torn = 0;
  }

  /** Locks as other libraries have them, and ours that is one of them. */
  guards = {
    tenure: (name, work) => this.lockers.plain.using(`mutex:${name}`, OPTIONS, work),
    redlock: (name, work) => this.redlock.using([`mutex:${name}`], 10_000, work),
    "redis-semaphore": async (name, work) => {
      // It puts `mutex:` in front of its names.
      const mutex = new Mutex(this.redis, name, { acquireTimeout: 3_600_000, retryInterval: 3 });
      await mutex.acquire();
      await work();
      await mutex.release();
    },
  };

  async count(name, who) {
    const value = Number(await this.redis.get(`count:${name}`));
    await this.redis.set(`count:${name}`, value + 1);
    await this.redis.rpush(`turns:${name}`, who);
  }

  /** Sees that nobody counts meanwhile. */
  async watch(name) {
    const { redis } = this;
    await redis.eval(ENTER, 2, `inside:${name}`, `most:${name}`);
    const before = await redis.get(`count:${name}`);
    this.torn += before === (await redis.get(`count:${name}`)) ? 0 : 1;
    await redis.decr(`inside:${name}`);
  }

  /** Counts on as long as Python does, so that nobody counts alone however long a program takes to begin. */
  async worker(who, name, python) {
    let done = false;
    void python.then(() => (done = true));
    for (let round = 0; round < ROUNDS || !done; round += 1) {
      await this.guards[who](name, () => this.count(name, who));
      this.turns[name].taken();
    }
  }

  /** `lock` obtains in a mode. */
  async sharer(name, lock, work) {
    for (let round = 0; round < ROUNDS; round += 1) {
      const held = await lock();
      await work();
      assert.equal(await held.release(), "confirmed");
      await this.turns[name].next();
    }
  }

  /** As many workers in Python for each key, ready to begin. */
  async python() {
    const env = { ...process.env, PYTHONPATH: path("../../../target/python") };
    const words = [path("counter.py"), this.port, WORKERS, ROUNDS, ...NAMES].map(String);
    const child = spawn("python3", words, { env, stdio: ["pipe", "pipe", "inherit"] });
    const ended = once(child, "exit");
    const began = await Promise.race([once(child.stdout, "data"), ended]);
    assert.match(String(began[0]), /ready/, "Python is there");
    return async () => {
      child.stdin.end("\n");
      assert.deepEqual(await ended, [0, null], "Python came to its end");
    };
  }

  async run() {
    const begin = await this.python();
    const sharers = this.lockers.modes.flatMap((locker) => [
      ...[0, 1].map(() => this.sharer("counter", () => locker.read("mutex:counter", OPTIONS), () => this.watch("counter"))),
      this.sharer("counter", () => locker.write("mutex:counter", OPTIONS), () => this.count("counter", "write")),
      ...[0, 1].map(() => this.sharer("slots", () => locker.permit("mutex:slots", LIMIT, OPTIONS), () => this.watch("slots"))),
    ]);
    const python = begin();
    const workers = NAMES.map(async (name) => {
      const all = Object.keys(this.guards).flatMap((who) => Array.from({ length: WORKERS }, () => this.worker(who, name, python)));
      await Promise.all(all);
      this.turns[name].end();
    });
    await Promise.all([python, ...workers, ...sharers]);
  }

  async check(server) {
    const { redis } = this;
    assert.equal(this.torn, 0, "a counter changed under a reader or a permit");
    for (const name of NAMES) {
      const turns = await redis.lrange(`turns:${name}`, 0, -1);
      const turnsOf = (who) => turns.filter((turn) => turn === who).length;
      assert.equal(turnsOf("redis-py"), WORKERS * ROUNDS, "Python had all its turns");
      for (const who of Object.keys(this.guards)) {
        assert.ok(turnsOf(who) >= WORKERS * ROUNDS, `${who} had all its turns`);
      }
      assert.equal(turnsOf("write"), name === "counter" ? 2 * ROUNDS : 0, "writers had all their turns");
      assert.equal(Number(await redis.get(`count:${name}`)), turns.length, "no turn was lost");
      const most = Number(await redis.get(`most:${name}`));
      assert.ok(name === "counter" || most <= LIMIT, `${most} permits of ${LIMIT} were used`);
      const figures = ["redis-py", ...Object.keys(this.guards), "write"].map((who) => `${who} ${turnsOf(who)}`);
      console.log(`interop, ${server}, ${name}: ${figures.join(", ")}; at most ${most} shared it: ok`);
    }
    assert.deepEqual(await redis.keys("*mutex*"), [], "nothing is left of the locks");
  }
}

async function play(control, server) {
  const port = await control.startFresh({}, server);
  const url = `redis://127.0.0.1:${port}`;
  const redis = new Redis(port, "127.0.0.1");
  const lockers = { plain: await plain.connect(url), modes: [await modes.connect(url), await modes.connect(url)] };
  const trial = new Trial(port, redis, lockers);
  await trial.run();
  await trial.check(server);
  await Promise.all([lockers.plain, ...lockers.modes].map((locker) => locker.close()));
  redis.disconnect();
}

const control = await new Control().open();
const chosen = process.argv.slice(2);
try {
  for (const server of chosen.length > 0 ? chosen : ["redis62", "redis7", "valkey9"]) {
    await play(control, server);
  }
} catch (error) {
  console.error(error);
  // Those that work do not end by themselves.
  process.exitCode = 1;
} finally {
  await control.close();
}
process.exit();
