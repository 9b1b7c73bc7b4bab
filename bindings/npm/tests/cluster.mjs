// A cluster is many servers: one that is silent holds up nobody who does not need it. Three masters of Redis 7.
//
//   node --test tests/cluster.mjs     after ./build
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

import { Control } from "./control.mjs";

const from = createRequire(new URL("runtimes/package.json", import.meta.url));
const packed = createRequire(import.meta.url);
const { connect } = packed("../dist/node.cjs");
const { ioredis, lend, nodeRedis } = packed("../dist/clients.cjs");
const { Cluster } = from("ioredis");
const { createCluster } = from("redis");
const HOUR = 3_600_000;

const control = await new Control().open();
const masters = await control.startCluster();
const ends = [() => control.close()];
test.after(() => Promise.all(ends.map((end) => end())));

/** Keys of each master. */
const keysOf = async () => {
  const found = masters.map(() => []);
  for (let number = 0; found.some((keys) => keys.length < 4); number += 1) {
    const key = `key-${number}`;
    const slot = await control.command(masters[0], ["CLUSTER", "KEYSLOT", key]);
    found[slot <= 5460 ? 0 : slot <= 10922 ? 1 : 2].push(key);
  }
  return found;
};

const clusters = {
  ioredis() {
    const cluster = new Cluster(masters.map((port) => ({ host: "127.0.0.1", port })), { retryDelayOnFailover: 0, retryDelayOnClusterDown: 0 });
    ends.unshift(() => cluster.disconnect());
    return ioredis(cluster);
  },
  async "node-redis"() {
    const cluster = await createCluster({ rootNodes: masters.map((port) => ({ url: `redis://127.0.0.1:${port}` })) }).connect();
    ends.unshift(() => cluster.destroy());
    return nodeRedis(cluster);
  },
};

for (const [name, lent] of Object.entries(clusters)) {
  test(`a silent master loses no lock on the others, through ${name}`, async () => {
    const keys = await keysOf();
    const lost = [];
    const onEvent = ({ type, keys }) => type === "lost" && lost.push(keys[0]);
    // A lock that is renewed every 300 ms, in the time of three request timeouts.
    const tenure = await connect(await lent(), { requestTimeout: 400, onEvent });
    const locks = await Promise.all(keys.map(([key]) => tenure.obtain(key, { ttl: 900 })));

    control.stop(masters[1]);
    const silent = tenure.obtain(keys[1][1], { ttl: HOUR }).catch((error) => error.code);
    const began = performance.now();
    for (const at of [0, 2, 0, 2]) {
      const lock = await tenure.obtain(keys[at][1], { ttl: HOUR });
      await lock.verify();
      assert.equal(await lock.release(), "confirmed");
    }
    assert.equal(await silent, "unreachable");
    while (!lost.includes(keys[1][0])) {
      await locks[0].verify();
    }
    await Promise.all([locks[0].verify(), locks[2].verify()]);
    assert.ok(performance.now() - began > 400, "longer than the request timeout");
    control.go(masters[1]);

    assert.deepEqual(lost, [keys[1][0]]);
    const back = await tenure.obtain(keys[1][2], { wait: 30_000 });
    assert.equal(await back.release(), "confirmed");
    await tenure.close();
    for (const port of masters) {
      while ((await control.command(port, ["DBSIZE"])) > 0);
    }
  });
}

for (const [name, lent] of Object.entries(clusters)) {
  test(`whichever master is silent, the others can be used by a Locker that connects then, through ${name}`, async () => {
    const keys = await keysOf();
    for (const [silent, port] of masters.entries()) {
      // The client knows the cluster already.
      const transport = await lent();
      await (await connect(transport)).close();
      control.stop(port);
      // Several times: a client that asks any one master picks it by chance.
      for (let time = 0; time < 4; time += 1) {
        const tenure = await connect(transport, { requestTimeout: 5_000 });
        const lock = await tenure.obtain(keys[(silent + 1) % 3][0], { ttl: HOUR });
        assert.equal(await lock.release(), "confirmed");
        await tenure.close();
      }
      control.go(port);
    }
  });
}

test("the same key has one lane, with its tag and its prefix; a closed Locker opens none", async () => {
  const asked = [];
  const lane = (key) => (asked.push(Buffer.from(key).toString()), String(key.at(-1)));
  const opened = [];
  const open = (_, key) => opened.push(key && Buffer.from(key).toString());
  const send = async (commands) => commands.map(([name]) => (Buffer.from(name).toString() === "SET" ? "OK" : 1));
  const tenure = await connect(lend({ name: "lanes", lane, open, send }), { prefix: "p:" });
  const [a, b, c] = await Promise.all(["xa", "yb", "za"].map((key) => tenure.obtain(key)));
  assert.deepEqual(asked, ["p:xa", "p:yb", "p:za"]);
  assert.deepEqual(opened, [undefined, "p:xa", "p:yb"]);
  assert.deepEqual(await Promise.all([a, b, c].map((lock) => lock.release())), ["confirmed", "confirmed", "confirmed"]);
  await tenure.close();
  await assert.rejects(tenure.obtain("new"), { name: "ClosedError" });
  assert.equal(opened.length, 3);
});

test("the slot of a key is that of the server", async () => {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({ entryPoints: [new URL("../src/transports/slots.ts", import.meta.url).pathname], format: "esm", write: false });
  const { slotOf } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
  for (const key of ["", "k", "{t}a", "a{t}b", "{}x", "{}{x}", "{a}{b}", "a}{b}", "{", "ä\u{1f512}", "{{x}}", "x".repeat(1_000)]) {
    assert.equal(slotOf(Buffer.from(key)), await control.command(masters[0], ["CLUSTER", "KEYSLOT", key]), key);
  }
});
