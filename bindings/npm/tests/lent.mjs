// Locks through what somebody else has: clients of ioredis and node-redis, for one server and for a cluster, and an
// endpoint of nobody's making over HTTP.
//
//   node tests/lent.mjs     after ./build
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

import { Control } from "./control.mjs";

const from = createRequire(new URL("runtimes/package.json", import.meta.url));
const packed = createRequire(import.meta.url);
const { connect } = packed("../dist/node.cjs");
const { ioredis, lend, nodeRedis } = packed("../dist/clients.cjs");
const { Cluster, Redis } = from("ioredis");
const { createClient, createCluster } = from("redis");

const control = await new Control().open();
const ports = { "Redis 7": await control.startFresh(), "Valkey 9": await control.startFresh({}, "valkey9") };
const masters = await control.startCluster();
const ends = [() => control.close()];
test.after(() => Promise.all(ends.map((end) => end())));

function redis(port) {
  const client = new Redis(port, "127.0.0.1", { autoResendUnfulfilledCommands: false });
  client.on("error", () => {});
  ends.unshift(() => client.disconnect());
  return client;
}

async function nodeRedisOf(port, RESP) {
  const client = createClient({ url: `redis://127.0.0.1:${port}`, RESP }).on("error", () => {});
  await client.connect();
  ends.unshift(() => client.destroy());
  return client;
}

/** One request for each command; text only. */
const http = (port) => lend({
  name: "http",
  oneAtATime: true,
  textOnly: true,
  async send(commands, signal) {
    const replies = [];
    for (const command of commands) {
      const words = command.map((word) => Buffer.from(word).toString());
      const response = await fetch(control.url, { method: "POST", body: JSON.stringify({ port, command: words }), signal });
      const { result, error } = await response.json();
      replies.push(error === undefined ? result : new Error(error.replace(/^Error: -?/, "")));
    }
    return replies;
  },
});

const lent = {
  ioredis: (port) => ioredis(redis(port)),
  "node-redis, RESP2": async (port) => nodeRedis(await nodeRedisOf(port, 2)),
  "node-redis, RESP3": async (port) => nodeRedis(await nodeRedisOf(port, 3)),
};

for (const [server, port] of Object.entries(ports)) {
  for (const [name, transport] of Object.entries(lent)) {
    test(`a lock lives through ${name} on ${server}`, async () => {
      await life(await transport(port), port);
    });
  }
}

test("no token is drawn for a later turn", async () => {
  const tenure = await connect(ioredis(redis(ports["Redis 7"])));
  ends.unshift(() => tenure.close());
  const drawn = [];
  const draw = crypto.getRandomValues;
  crypto.getRandomValues = (bytes) => (drawn.push(bytes.length), draw.call(crypto, bytes));
  try {
    for (let turn = 0; turn < 3; turn += 1) {
      await (await tenure.obtain("drawn")).release();
    }
  } finally {
    crypto.getRandomValues = draw;
  }
  assert.deepEqual(drawn, [16, 16, 16]);
});

test("a shorter ttl counts from its request", async () => {
  const tenure = await connect(ioredis(redis(ports["Redis 7"])));
  ends.unshift(() => tenure.close());
  const lock = await tenure.obtain("k");
  const refreshing = lock.refresh(1_000);
  assert.ok(lock.remaining() <= 1_000, "the server may get it although nobody reads its answer");
  assert.ok((await refreshing) <= 1_000);
  await lock.release();
  assert.equal(lock.remaining(), 0);
});

// The endpoint knows no lists, with which a newer server says what it can do.
test("a lock lives through a function over HTTP", () => life(http(ports["Redis 7"]), ports["Redis 7"]));

async function life(transport, port) {
  const [client, direct, tenure] = [redis(port), await connect(`redis://127.0.0.1:${port}`), await connect(transport)];
  const metadata = transport.textOnly ? "host-7" : Uint8Array.of(0, 0xff, 13, 10, 0xc3, 0x28);
  const lock = await tenure.obtain("k", { metadata });
  const value = Buffer.concat([Buffer.from(lock.token), Buffer.from(metadata)]);
  assert.deepEqual(await client.getBuffer("k"), value);
  assert.equal(await direct.tryObtain("k"), null);
  assert.deepEqual(Buffer.from((await tenure.inspect("k")).bytes), value);
  await lock.refresh();
  await lock.verify();
  const waiting = direct.obtain("k", { wait: Infinity });
  assert.equal(await lock.release(), "confirmed");
  const other = await waiting;
  const back = tenure.obtain(["k", "j"], { wait: Infinity });
  await other.release();
  const both = await back;
  assert.equal(await client.exists("k", "j"), 2);
  // Without a server that reports it, the loss is seen at the next refresh.
  await client.del("k");
  await assert.rejects(both.refresh(), { code: "taken" });
  await Promise.all([tenure.close(), direct.close()]);
  assert.equal(await client.exists("k", "j"), 0);
}

test("of the requests of one turn, the first goes out before the last is made", async () => {
  const client = redis(ports["Redis 7"]);
  const sizes = [];
  const send = (commands) => {
    sizes.push(commands.length);
    const words = (command) => command.map((word) => Buffer.from(word));
    return Promise.all(commands.map(words).map(([name, ...rest]) => client.call(String(name), ...rest)));
  };
  const tenure = await connect(lend({ name: "counted", send }));
  ends.unshift(() => tenure.close());
  sizes.length = 0;
  const locks = await Promise.all(Array.from({ length: 70 }, (_, number) => tenure.obtain(`k${number}`)));
  // A SET and a PTTL each.
  assert.deepEqual(sizes, [64, 64, 12]);
  assert.equal(new Set(locks.map((lock) => lock.token)).size, 70);
  await Promise.all(locks.map((lock) => lock.release()));
});

for (const [name, transport] of Object.entries({ ioredis: lent.ioredis, "node-redis": lent["node-redis, RESP3"] })) {
  test(`a server is killed and comes back behind ${name}`, async () => {
    const port = await control.startFresh();
    const tenure = await connect(await transport(port), { requestTimeout: 200, reconnectMax: 50 });
    const held = await tenure.obtain("k", { ttl: 3_600_000 });
    await tell({ port, kill: true });
    await assert.rejects(tenure.obtain("j"), { code: "unreachable" });
    await tell({ port, restart: true });
    const lock = await tenure.obtain("j", { wait: Infinity });
    // The server has forgotten everything.
    await assert.rejects(held.refresh(), { code: "taken" });
    assert.equal(await lock.release(), "confirmed");
    await tenure.close();
    assert.equal(await control.command(port, ["DBSIZE"]), 0);
  });
}

async function tell(what) {
  await fetch(control.url, { method: "POST", body: JSON.stringify(what) });
}

const clusters = {
  ioredis(ports) {
    const cluster = new Cluster(ports.map((port) => ({ host: "127.0.0.1", port })), { retryDelayOnFailover: 0, retryDelayOnClusterDown: 0 });
    ends.unshift(() => cluster.disconnect());
    return ioredis(cluster);
  },
  async "node-redis"(ports) {
    const cluster = await createCluster({ rootNodes: ports.map((port) => ({ url: `redis://127.0.0.1:${port}` })) }).connect();
    ends.unshift(() => cluster.destroy());
    return nodeRedis(cluster);
  },
};

for (const [name, cluster] of Object.entries(clusters)) {
  test(`a cluster of three masters through ${name}`, async () => {
    const [alice, bob] = await Promise.all([connect(await cluster(masters)), connect(await cluster(masters))]);
    for (const port of masters) {
      // A script is known by each master or by none of them.
      await control.command(port, ["SCRIPT", "FLUSH"]);
      await control.command(port, ["CONFIG", "RESETSTAT"]);
    }
    for (let number = 0; number < 30; number += 1) {
      await turnsOf(alice, bob, `k${number}`);
    }
    for (const port of masters) {
      const { set, eval: text = 0, evalsha } = await calls(port);
      assert.ok(set > 10 && evalsha > 10, `each master had some keys: ${set}, ${evalsha}`);
      // Two scripts and two clients: each needs a text at most once, and once more if both ask at one time.
      assert.ok(text > 0 && text <= 8, `the text of a script was sent ${text} times`);
      // Each command went where its key is.
      assert.doesNotMatch(await control.command(port, ["INFO", "errorstats"]), /MOVED/);
    }
    // One master forgets.
    await control.command(masters[1], ["SCRIPT", "FLUSH"]);
    for (let number = 0; number < 10; number += 1) {
      await turnsOf(alice, bob, `k${number}`);
    }
    const tagged = await alice.obtain(["{t}a", "{t}b"]);
    await tagged.verify();
    assert.equal(await bob.tryObtain(["{t}b", "{t}c"]), null);
    assert.equal(await tagged.release(), "confirmed");
    await assert.rejects(alice.obtain(["a", "b"]), { name: "NotObtainedError", code: "refused", fault: "cross_slot" });
    await Promise.all([alice.close(), bob.close()]);
    for (const port of masters) {
      assert.equal(await control.command(port, ["DBSIZE"]), 0);
    }
  });
}

// The keys of `MSETEX`, by which a master is found, are not where scripts have theirs.
test("a cluster sets several keys without scripts", async () => {
  const ports = await control.startCluster({}, "valkey9");
  for (const port of ports) {
    await control.command(port, ["ACL", "SETUSER", "default", "-@scripting"]);
  }
  for (const [name, cluster] of Object.entries(clusters)) {
    await Promise.all(ports.map((port) => control.command(port, ["CONFIG", "RESETSTAT"])));
    const tenure = await connect(await cluster(ports));
    // One of them is on each master.
    for (const tag of ["{a}", "{b}", "{c}"]) {
      const lock = await tenure.obtain([`${tag}1`, `${tag}2`]);
      await lock.refresh();
      assert.equal(await tenure.tryObtain([`${tag}2`, `${tag}3`]), null, name);
      assert.equal(await lock.release(), "confirmed", name);
    }
    await tenure.close();
    for (const port of ports) {
      const stats = await control.command(port, ["INFO", "commandstats"]);
      // A grant and a refusal; none was sent elsewhere first.
      assert.match(stats, /cmdstat_msetex:calls=2,.*,rejected_calls=0,/, name);
      assert.equal(await control.command(port, ["DBSIZE"]), 0, name);
    }
  }
});

async function turnsOf(alice, bob, key) {
  const lock = await alice.obtain(key);
  assert.equal(await bob.tryObtain(key), null, key);
  await lock.refresh();
  const waiting = bob.obtain(key, { wait: Infinity, retry: { every: 3 } });
  assert.equal(await lock.release(), "confirmed", key);
  assert.equal(await (await waiting).release(), "confirmed", key);
}

/** How often a server was called, by command. */
async function calls(port) {
  const lines = await control.command(port, ["INFO", "commandstats"]);
  return Object.fromEntries([...lines.matchAll(/cmdstat_(\w+):calls=(\d+)/g)].map(([, name, count]) => [name, Number(count)]));
}
