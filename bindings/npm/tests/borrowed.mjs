// Checks before a client is lent, its valid answers, and what it must not do by itself; with real clients and servers.
//
//   node --test tests/borrowed.mjs     after ./build
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

import { Control } from "./control.mjs";

const from = createRequire(new URL("runtimes/package.json", import.meta.url));
const packed = createRequire(import.meta.url);
const { connect, ArgumentError } = packed("../dist/node.cjs");
const { ioredis, lend, nodeRedis } = packed("../dist/clients.cjs");
const { Cluster, Redis } = from("ioredis");
const { createClient, createClientPool, createCluster, createSentinel } = from("redis");

const control = await new Control().open();
const port = await control.startFresh();
const ends = [() => control.close()];
test.after(() => Promise.all(ends.map((end) => end())));
test.beforeEach(() => control.command(port, ["FLUSHALL"]));

const safe = { autoResendUnfulfilledCommands: false, lazyConnect: true };
const refuses = (lent, word) => assert.throws(lent, (error) => error instanceof ArgumentError && error.message.includes(word), word);

test("clients of ioredis that would break a promise are refused, with what to set", () => {
  const redis = (options) => new Redis(port, "127.0.0.1", { lazyConnect: true, ...options });
  refuses(() => ioredis(redis({})), "autoResendUnfulfilledCommands: false");
  refuses(() => ioredis(redis({ ...safe, enableAutoPipelining: true })), "enableAutoPipelining");
  const cluster = (options) => new Cluster([{ host: "127.0.0.1", port }], { lazyConnect: true, ...options });
  refuses(() => ioredis(cluster({})), "retryDelayOnFailover: 0");
  refuses(() => ioredis(cluster({ maxRedirections: 1 })), "retryDelayOnFailover: 0 for the cluster (maxRedirections is not enough)");
  refuses(() => ioredis(cluster({ retryDelayOnFailover: 0 })), "retryDelayOnClusterDown: 0");
  refuses(() => ioredis(cluster({ retryDelayOnFailover: 0, retryDelayOnClusterDown: 0, enableAutoPipelining: true })), "enableAutoPipelining");
  refuses(() => ioredis(cluster({ retryDelayOnFailover: 0, retryDelayOnClusterDown: 0, scaleReads: "slave" })), "scaleReads");
  ioredis(redis(safe));
  ioredis(cluster({ retryDelayOnFailover: 0, retryDelayOnClusterDown: 0 }));
});

test("clients of node-redis that would break a promise are refused, with what to do", () => {
  const url = `redis://127.0.0.1:${port}`;
  refuses(() => nodeRedis(createClient({ url, keyPrefix: "app:" })), "prefix of connect");
  refuses(() => nodeRedis(createCluster({ rootNodes: [{ url }], keyPrefix: "app:" })), "prefix of connect");
  refuses(() => nodeRedis(createClientPool({ url })), "pool");
  refuses(() => nodeRedis(createSentinel({ name: "m", sentinelRootNodes: [{ host: "127.0.0.1", port }] })), "Sentinel");
  nodeRedis(createClient({ url }));
});

test("the prefix of a client and the prefix of connect exclude each other", async () => {
  const redis = new Redis(port, "127.0.0.1", { ...safe, keyPrefix: "app:" });
  const [one, other] = await Promise.all([connect(ioredis(redis)), connect(`redis://127.0.0.1:${port}`, { prefix: "app:" })]);
  const lock = await one.obtain("k");
  assert.equal(await other.tryObtain("k"), null);
  await lock.refresh();
  assert.equal(await lock.release(), "confirmed");
  const both = await one.obtain(["k", "j"]);
  assert.equal(await control.command(port, ["EXISTS", "app:k", "app:j"]), 2);
  await both.release();
  await Promise.all([one.close(), other.close()]);
  redis.disconnect();
});

test("a client that makes text of numbers keeps its locks", async () => {
  const redis = new Redis(port, "127.0.0.1", { ...safe, stringNumbers: true });
  const tenure = await connect(ioredis(redis));
  const lock = await tenure.obtain("k", { ttl: 600 });
  assert.ok((await lock.remainingOnServers()) > 0);
  await lock.refresh();
  await lock.verify();
  assert.equal(await lock.release(), "confirmed");
  await tenure.close();
  redis.disconnect();
});

/** A client that answers one command otherwise, from when `other` is set. */
function answering() {
  const redis = new Redis(port, "127.0.0.1", safe);
  ends.unshift(() => redis.disconnect());
  const way = { sent: [] };
  way.lent = lend({
    name: "answering",
    send: (commands) =>
      Promise.all(
        commands.map(async ([name, ...words]) => {
          const command = Buffer.from(name).toString();
          way.sent.push(command);
          const reply = await redis.callBuffer(command, words.map((word) => Buffer.from(word))).catch((error) => error);
          return way.name === command ? way.other : reply;
        }),
      ),
  });
  return way;
}

const STRANGE = { undefined: undefined, "an object": {}, true: true, "a map": new Map(), QUEUED: "QUEUED", "half a number": 1.5, "not a number": NaN, "a list": [], "a function": () => {} };
for (const [what, other] of Object.entries(STRANGE)) {
  test(`${what} is no answer, and says nothing of who holds a key`, async () => {
    const way = answering();
    const tenure = await connect(way.lent, { reconnectMax: 20 });
    const held = await tenure.obtain("k", { ttl: 3_600_000 });
    for (const name of ["GET", "PTTL"]) {
      // As a value it is one.
      if (name === "GET" && what === "QUEUED") {
        continue;
      }
      Object.assign(way, { name, other });
      const error = await tenure.inspect("k").catch((error) => error);
      assert.deepEqual([error?.name, error?.fault], ["InspectError", "disconnected"], name);
      way.name = undefined;
    }
    Object.assign(way, { name: "SET", other });
    const error = await tenure.obtain("j").catch((error) => error);
    assert.deepEqual([error.name, error.code], ["NotObtainedError", "unreachable"]);
    way.name = undefined;
    await held.verify();
    assert.equal(await held.release(), "confirmed");
    await tenure.close();
    assert.equal(await control.command(port, ["DBSIZE"]), 0, "what was perhaps obtained is taken back");
  });
}

test("a value of OK is a value", async () => {
  const way = answering();
  const tenure = await connect(way.lent);
  await control.command(port, ["SET", "somebody", "OK"]);
  assert.deepEqual([(await tenure.inspect("somebody")).value, (await tenure.inspect("somebody")).remaining], ["OK", Infinity]);
  const lock = await tenure.obtain("k", { token: "OK" });
  await lock.verify();
  assert.equal(await lock.release(), "confirmed");
  await tenure.close();
});

test("nothing is left in an offline queue that is carried out after close", async () => {
  const port = await control.startFresh();
  const redis = new Redis(port, "127.0.0.1", { ...safe, retryStrategy: () => 50 });
  redis.on("error", () => {});
  const client = createClient({ url: `redis://127.0.0.1:${port}`, socket: { reconnectStrategy: () => 50 } }).on("error", () => {});
  await client.connect();
  ends.unshift(() => redis.disconnect(), () => client.destroy());
  const tenures = await Promise.all([ioredis(redis), nodeRedis(client)].map((lent) => connect(lent, { requestTimeout: 200 })));
  await tell({ port, kill: true });
  for (const [at, tenure] of tenures.entries()) {
    const error = await tenure.obtain(`k${at}`, { ttl: 3_600_000 }).catch((error) => error);
    assert.equal(error.code, "unreachable");
    const waiting = tenure.obtain(`w${at}`, { wait: Infinity }).catch((error) => error.code);
    await tenure.close();
    assert.equal(await waiting, "closed");
  }
  await tell({ port, restart: true });
  assert.equal(await redis.ping(), "PONG");
  assert.equal(await client.ping(), "PONG");
  assert.equal(await control.command(port, ["DBSIZE"]), 0);
});

test("a batch larger than Node likes listeners warns of nothing", async () => {
  const warnings = [];
  const note = ({ message }) => warnings.push(message);
  process.on("warning", note);
  const client = await createClient({ url: `redis://127.0.0.1:${port}` }).connect();
  const tenure = await connect(nodeRedis(client));
  const locks = await Promise.all(Array.from({ length: 40 }, (_, number) => tenure.obtain(`k${number}`)));
  await Promise.all(locks.map((lock) => lock.release()));
  await tenure.close();
  client.destroy();
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", note);
  assert.deepEqual(warnings, []);
});

async function tell(what) {
  await fetch(control.url, { method: "POST", body: JSON.stringify(what) });
}
