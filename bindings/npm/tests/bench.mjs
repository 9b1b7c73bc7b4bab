// Ratios in one run on Node: against a raw socket that sends the same commands, and against redlock on ioredis.
//
//   node tests/bench.mjs [rounds]     after ./build; prints ratios, never absolute goals
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect as connectTcp } from "node:net";

import { Control } from "./control.mjs";

const from = createRequire(new URL("runtimes/package.json", import.meta.url));
const { connect } = createRequire(import.meta.url)("../dist/node.cjs");
const { default: Redlock } = await import(from.resolve("redlock").replace(/cjs/, "esm"));
const { Redis } = from("ioredis");

const [ROUNDS, PAIRS, CONCURRENT] = [Number(process.argv[2] ?? 15), 2_000, 64];
const control = await new Control().open();
const port = await control.startFresh();

/** As little as can be between the socket and a lock. */
class Raw {
  #socket = connectTcp({ port, host: "127.0.0.1", noDelay: true });
  #lua = readFileSync(new URL("../../../core/src/redis/lua/release.lua", import.meta.url), "utf8");
  #sha = createHash("sha1").update(this.#lua).digest("hex");
  #wanted = 0;
  #resolve;

  async open() {
    this.#socket.on("data", (chunk) => {
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) {
        this.#wanted -= 1;
      }
      if (this.#wanted === 0) {
        this.#resolve();
      }
    });
    this.#socket.write(this.#command("SCRIPT", "LOAD", this.#lua));
    // A bulk string has two lines.
    await this.#lines(2);
    return this;
  }

  #command(...words) {
    return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
  }

  #lines(count) {
    this.#wanted += count;
    return new Promise((resolve) => (this.#resolve = resolve));
  }

  async pair(key) {
    const token = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64url");
    this.#socket.write(this.#command("SET", key, token, "NX", "PX", "30000") + this.#command("PTTL", key));
    await this.#lines(2);
    this.#socket.write(this.#command("EVALSHA", this.#sha, "1", key, token));
    await this.#lines(1);
  }

  close() {
    this.#socket.destroy();
  }
}

const raw = await new Raw().open();
const tenure = await connect(`redis://127.0.0.1:${port}`);
const ioredis = new Redis(port, "127.0.0.1");
const redlock = new Redlock([ioredis], { retryCount: 0 });

const pairs = {
  raw: (key) => raw.pair(key),
  tenure: async (key) => (await tenure.obtain(key)).release(),
  redlock: async (key) => (await redlock.acquire([key], 30_000)).release(),
};

async function serial(pair) {
  const start = performance.now();
  for (let i = 0; i < PAIRS; i += 1) {
    await pair("bench");
  }
  return ((performance.now() - start) * 1_000) / PAIRS;
}

async function concurrent(pair) {
  const start = performance.now();
  const lane = async (_, number) => {
    for (let i = 0; i < PAIRS / CONCURRENT; i += 1) {
      await pair(`bench-${number}`);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT }, lane));
  return ((performance.now() - start) * 1_000) / PAIRS;
}

const times = {};
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [name, pair] of Object.entries(pairs)) {
    (times[`serial ${name}`] ??= []).push(await serial(pair));
    if (name !== "raw") {
      (times[`64 at once ${name}`] ??= []).push(await concurrent(pair));
    }
  }
}
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const of = Object.fromEntries(Object.entries(times).map(([name, values]) => [name, median(values)]));
for (const [name, time] of Object.entries(of)) {
  console.log(`${name}: ${time.toFixed(1)} µs a pair (median), ${Math.min(...times[name]).toFixed(1)} at best`);
}
// Of each round by itself: what else the machine does changes from one to the next.
const ratio = (a, b) => median(times[a].map((time, round) => time / times[b][round])).toFixed(2);
console.log(`serial, tenure to raw: ${ratio("serial tenure", "serial raw")}`);
console.log(`serial, redlock to tenure: ${ratio("serial redlock", "serial tenure")}`);
console.log(`64 at once, redlock to tenure: ${ratio("64 at once redlock", "64 at once tenure")}`);
await tenure.close();
raw.close();
ioredis.disconnect();
await control.close();
