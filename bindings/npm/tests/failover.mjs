// Masters that end, with real elections: in a cluster, and behind sentinels. What users can rely on then is in
// core/docs/failover.md.
//
//   node --test tests/failover.mjs     after ./build
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, afterEach, test } from "node:test";

import { Control } from "./control.mjs";
import { ReplicatedCluster, Sentinels } from "./groups.mjs";

const from = createRequire(new URL("runtimes/package.json", import.meta.url));
const packed = createRequire(import.meta.url);
const { connect } = packed("../dist/node.cjs");
const { ioredis, nodeRedis } = packed("../dist/clients.cjs");
const { Cluster, Redis } = from("ioredis");
const { createCluster, createSentinel } = from("redis");
/** Nothing is renewed by itself in that time. */
const ttl = 3_600_000;
/** Elections take seconds, on a busy machine many. */
const LIMIT = { timeout: 300_000 };

const control = await new Control().open();
/** The latest first. */
const ends = [];
const end = async () => {
  for (const one of ends.splice(0)) {
    await one();
  }
};
afterEach(end);
after(() => control.close());

/** Ends with the tests. What is said about lost connections is for other programs. */
function client(made, end) {
  made.on("error", () => {});
  ends.unshift(() => made[end]());
  return made;
}

const clients = {
  ioredis: {
    start: () => ReplicatedCluster.start(control),
    lend({ masters }) {
      const nodes = masters.map((port) => ({ host: "127.0.0.1", port }));
      return ioredis(client(new Cluster(nodes, { retryDelayOnFailover: 0, retryDelayOnClusterDown: 0 }), "disconnect"));
    },
  },
  redis: {
    start: () => ReplicatedCluster.start(control),
    async lend({ masters }) {
      const rootNodes = masters.map((port) => ({ url: `redis://127.0.0.1:${port}` }));
      return nodeRedis(await client(createCluster({ rootNodes }), "destroy").connect());
    },
  },
  "ioredis behind sentinels": {
    start: () => Sentinels.start(control),
    lend({ sentinels }) {
      const options = { name: "mymaster", autoResendUnfulfilledCommands: false, retryStrategy: () => 20, sentinelRetryStrategy: () => 20 };
      return ioredis(client(new Redis({ sentinels: sentinels.map((port) => ({ host: "127.0.0.1", port })), ...options }), "disconnect"));
    },
  },
};

async function pair({ start, lend }) {
  const group = await start();
  ends.unshift(() => group.end());
  const lost = [];
  const onEvent = ({ type, reason }) => type === "lost" && lost.push(reason);
  const [alice, bob] = await Promise.all([0, 1].map(async () => connect(await lend(group), { onEvent })));
  ends.unshift(() => Promise.all([alice.close(), bob.close()]));
  return { group, alice, bob, lost };
}

/** Until there is an answer: a client may have to connect first. */
async function answered(ask) {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (error.code !== "not_answered") {
        throw error;
      }
    }
  }
}

/** Until the server has received that many requests for a lock. */
async function asked(port, times) {
  for (let count = 0; count < times; ) {
    const stats = await control.command(port, ["INFO", "commandstats"]);
    count = Number(/cmdstat_set:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  }
}

for (const [name, kind] of Object.entries(clients)) {
  test(`a copied lock survives its master: ${name}`, LIMIT, async () => {
    const { group, alice, bob, lost } = await pair(kind);
    const [key] = await group.keys(1);
    const lock = await alice.obtain(key, { ttl });
    const waits = bob.obtain(key, { ttl, wait: ttl });
    await asked(group.master, 2);
    await group.copied(key);
    await group.failOver();

    await lock.refresh();
    assert.ok(await answered(() => bob.inspect(key)), "the new master has it");
    assert.equal(await lock.release(), "confirmed");
    const next = await waits;
    await next.verify();
    assert.equal(await next.release(), "confirmed");
    assert.equal(await control.command(group.master, ["EXISTS", key]), 0);
    assert.deepEqual(lost, []);
  });

  test(`a lock that was not copied is given twice, and the first one is lost: ${name}`, LIMIT, async () => {
    const { group, alice, bob } = await pair(kind);
    const [key] = await group.keys(1);
    await group.cut();
    const first = await alice.obtain(key, { ttl });
    await group.failOver();
    const second = await bob.obtain(key, { ttl, wait: ttl });
    await assert.rejects(first.refresh(), { name: "LockLostError", code: "taken" });
    await second.verify();
    assert.equal(await second.release(), "confirmed");
  });

  test(`a request without a reply goes on at the next master: ${name}`, LIMIT, async () => {
    const { group, alice } = await pair(kind);
    const [key] = await group.keys(1);
    control.stop(group.master);
    const waits = alice.obtain(key, { ttl, wait: ttl });
    await group.failOver();
    const lock = await waits;
    await lock.verify();
    assert.equal(await lock.release(), "confirmed");
    assert.equal(await control.command(group.master, ["EXISTS", key]), 0);
  });
}

test("a lock survives a change of places: ioredis behind sentinels", LIMIT, async () => {
  const { group, alice, bob, lost } = await pair(clients["ioredis behind sentinels"]);
  const lock = await alice.obtain("k", { ttl });
  const waits = bob.obtain("k", { ttl, wait: ttl });
  await asked(group.master, 2);
  await group.copied("k");
  await group.changePlaces();
  await lock.refresh();
  assert.equal(await lock.release(), "confirmed");
  assert.equal(await (await waits).release(), "confirmed");
  assert.deepEqual(lost, []);
});

test("the client of redis for sentinels is refused, because it sends commands twice", () => {
  const made = createSentinel({ name: "mymaster", sentinelRootNodes: [{ host: "127.0.0.1", port: 1 }] });
  assert.throws(() => nodeRedis(made), /sends commands twice/);
});

for (const name of ["ioredis", "redis"]) {
  test(`locks follow a slot that moves: ${name}`, LIMIT, async () => {
    const { group, alice, bob, lost } = await pair(clients[name]);
    const [key] = await group.keys(1, 1);
    const other = `{${key}}other`;
    const lock = await alice.obtain(key, { ttl });
    await group.beginMove(key);
    await lock.refresh();
    const asking = await bob.obtain(other, { ttl });
    assert.equal(await asking.release(), "confirmed");
    await group.moveKey(key);
    await lock.refresh();
    await assert.rejects(bob.obtain(key), { code: "taken" });
    const waits = bob.obtain(key, { ttl, wait: ttl });
    assert.equal(await lock.release(), "confirmed");
    const next = await waits;
    await group.endMove(key);
    await next.refresh();
    assert.equal(await control.command(group.masters[2], ["EXISTS", key]), 1);
    assert.equal(await next.release(), "confirmed");
    assert.deepEqual(lost, []);
  });

  test(`several keys wait until their slot has moved: ${name}`, LIMIT, async () => {
    const { group, alice } = await pair(clients[name]);
    const [key] = await group.keys(1, 1);
    const keys = [key, `{${key}}other`];
    await control.command(group.masters[1], ["SET", key, "somebody's", "PX", "3600000"]);
    await group.beginMove(key);
    // The client ioredis tries again by itself, for longer than a request may take. After that there is no connection for a moment.
    const faults = name === "ioredis" ? ["timed_out", "disconnected"] : ["try_again"];
    await assert.rejects(alice.obtain(keys), (error) => error.code === "unreachable" && faults.includes(error.fault));
    await control.command(group.masters[1], ["DEL", key]);
    await group.endMove(key);
    const both = await alice.obtain(keys, { wait: ttl });
    assert.equal(await both.release(), "confirmed");
  });

  test(`keys in different slots are refused before anything is sent: ${name}`, LIMIT, async () => {
    const { group, alice } = await pair(clients[name]);
    const keys = [...(await group.keys(1, 0)), ...(await group.keys(1, 1))];
    for (const port of group.masters) {
      await control.command(port, ["CONFIG", "RESETSTAT"]);
    }
    const error = await alice.obtain(keys, { wait: ttl }).then(assert.fail, (error) => error);
    assert.deepEqual([error.name, error.fault, error.keys], ["NotObtainedError", "cross_slot", keys]);
    assert.equal(error.message, `"${keys[0]}","${keys[1]}": refused: CROSSSLOT: give the keys the same {tag}`);
    for (const port of group.masters) {
      // The proof that scripts run has no keys.
      assert.doesNotMatch(await control.command(port, ["INFO", "commandstats"]), /cmdstat_(set|evalsha|msetex):/);
    }
  });

  test(`a request that no master can carry out is not kept for later: ${name}`, LIMIT, async () => {
    const { group, alice } = await pair(clients[name]);
    const [key] = await group.keys(1, 1);
    const slot = await control.command(group.masters[1], ["CLUSTER", "KEYSLOT", key]);
    for (const port of group.masters) {
      await control.command(port, ["CLUSTER", "DELSLOTS", `${slot}`]);
    }
    await assert.rejects(alice.obtain(key, { ttl }), { code: "unreachable", fault: "cluster_down" });
    await control.command(group.masters[1], ["CLUSTER", "ADDSLOTS", `${slot}`]);
    const lock = await alice.obtain(key, { ttl, wait: ttl });
    assert.equal(await lock.release(), "confirmed");
    assert.equal(await control.command(group.masters[1], ["EXISTS", key]), 0);
  });
}
