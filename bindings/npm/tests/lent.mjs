// Locks through what somebody else has: clients of ioredis and node-redis, one for a cluster, and an endpoint over HTTP.
//
//   node tests/lent.mjs     after ./build
import assert from "node:assert/strict";
import { createRequire } from "node:module";

import { Control } from "./control.mjs";

const from = createRequire(new URL("runtimes/package.json", import.meta.url));
const { connect } = createRequire(import.meta.url)("../dist/node.cjs");
const { Cluster, Redis } = from("ioredis");

const control = await new Control().open();
const port = await control.startFresh();
const client = new Redis(port, "127.0.0.1");

const through = (redis) => (commands) =>
  Promise.all(
    commands.map(([name, ...words]) =>
      redis.callBuffer(Buffer.from(name).toString(), ...words.map((word) => Buffer.from(word))).catch((error) => {
        if (error.name === "ReplyError") {
          return error;
        }
        throw error;
      }),
    ),
  );

const { createClient, ErrorReply } = from("redis");
const nodeRedis = await createClient({ url: `redis://127.0.0.1:${port}` }).connect();

const lent = {
  ioredis: through(client),
  redis: (commands) =>
    Promise.all(
      commands.map((words) =>
        nodeRedis.sendCommand(words.map((word) => Buffer.from(word))).catch((error) => {
          if (error instanceof ErrorReply) {
            return error;
          }
          throw error;
        }),
      ),
    ),
  /** One request for each command; text only. */
  async http(commands) {
    const replies = [];
    for (const command of commands) {
      const words = command.map((word) => Buffer.from(word).toString());
      const response = await fetch(control.url, { method: "POST", body: JSON.stringify({ port, command: words }) });
      const { result, error } = await response.json();
      replies.push(error === undefined ? result : new Error(error.replace(/^Error: -?/, "")));
    }
    return replies;
  },
};

const direct = await connect(`redis://127.0.0.1:${port}`);
for (const [name, send] of Object.entries(lent)) {
  const tenure = await connect({ send, name });
  const lock = await tenure.obtain("k", { metadata: name });
  assert.equal(await client.get("k"), lock.token + name, name);
  assert.equal(await direct.tryObtain("k"), null, name);
  assert.equal((await tenure.inspect("k")).value, lock.token + name, name);
  await lock.refresh();
  await lock.verify();
  const waiting = direct.obtain("k", { wait: Infinity });
  assert.equal(await lock.release(), "confirmed", name);
  const other = await waiting;
  const back = tenure.obtain(["k", "j"], { wait: Infinity });
  await other.release();
  const both = await back;
  assert.equal(await client.exists("k", "j"), 2, name);
  // Without a server that tells of it, the loss is seen at the next refresh.
  await client.del("k");
  await assert.rejects(both.refresh(), { code: "taken" }, name);
  await tenure.close();
  assert.equal(await client.exists("k", "j"), 0, name);
  console.log(`lent, ${name}: ok`);
}
await direct.close();
client.disconnect();
nodeRedis.destroy();

const nodes = (await control.startCluster()).map((node) => ({ host: "127.0.0.1", port: node }));
const cluster = new Cluster(nodes);
const [alice, bob] = [await connect({ send: through(cluster) }), await connect({ send: through(cluster) })];
for (let number = 0; number < 30; number += 1) {
  // So many keys that each master has some.
  const key = `k${number}`;
  const lock = await alice.obtain(key);
  assert.equal(await bob.tryObtain(key), null, key);
  await lock.refresh();
  const waiting = bob.obtain(key, { wait: Infinity });
  assert.equal(await lock.release(), "confirmed", key);
  await (await waiting).release();
}
const tagged = await alice.obtain(["{t}a", "{t}b"]);
await tagged.verify();
assert.equal(await tagged.release(), "confirmed");
await assert.rejects(alice.obtain(["a", "b"]), { code: "refused", fault: "cross_slot" });
await Promise.all([alice.close(), bob.close()]);
cluster.disconnect();
console.log("lent, ioredis cluster: ok");
await control.close();
