// What the owner of a lent client may do with it meanwhile, and what happens if he does what he must not. Real clients and servers.
//
//   node --test tests/owner.mjs     after ./build
import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";
import { test } from "node:test";

import { Control } from "./control.mjs";

const from = createRequire(new URL("runtimes/package.json", import.meta.url));
const packed = createRequire(import.meta.url);
const { connect } = packed("../dist/node.cjs");
const { ioredis, nodeRedis } = packed("../dist/clients.cjs");
const { Redis } = from("ioredis");
const { createClient } = from("redis");
const HOUR = 3_600_000;

const control = await new Control().open();
const port = await control.startFresh();
const ends = [() => control.close()];
test.after(() => Promise.all(ends.map((end) => end())));
test.beforeEach(() => control.command(port, ["FLUSHALL"]));

/** The client of an owner, lent, and what he does with it, in the words of that client. */
const owners = {
  async ioredis(protocol) {
    const client = new Redis(port, "127.0.0.1", { autoResendUnfulfilledCommands: false, protocol });
    client.on("error", () => {});
    ends.unshift(() => client.disconnect());
    return {
      lent: ioredis(client),
      say: (...words) => client.call(...words),
      transaction: async () => (await client.multi().set("a", "1").get("a").exec()).map(([, reply]) => reply),
      subscribe: () => client.subscribe("news"),
      unsubscribe: () => client.unsubscribe("news"),
      close: () => client.quit(),
      destroy: () => client.disconnect(),
    };
  },
  async "node-redis"(RESP) {
    const client = createClient({ url: `redis://127.0.0.1:${port}`, RESP }).on("error", () => {});
    await client.connect();
    ends.unshift(() => client.isOpen && client.destroy());
    return {
      lent: nodeRedis(client),
      say: (...words) => client.sendCommand(words),
      transaction: () => client.multi().set("a", "1").get("a").exec(),
      subscribe: () => client.subscribe("news", () => {}),
      unsubscribe: () => client.unsubscribe("news"),
      close: () => client.close(),
      destroy: () => client.destroy(),
    };
  },
};

/** A lock whose lease is not at stake, unless a test says so. */
async function locked(owner, ttl = HOUR) {
  const tenure = await connect(owner.lent, { reconnectMax: 20 });
  ends.unshift(() => tenure.close());
  return { tenure, lock: await tenure.obtain("k", { ttl }) };
}

/** Until the servers answer again, after what came in between. */
async function verified(lock) {
  for (;;) {
    const error = await lock.verify().catch((error) => error);
    if (error === undefined) {
      return;
    }
    assert.equal(error.name, "InspectError");
    // A client that answers at once fails at once: let the driver connect anew.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const unknown = (promise, expected) => promise.then(() => assert.fail("it cannot know"), ({ code }) => assert.equal(code, expected));

for (const [name, lend] of Object.entries(owners)) {
  for (const protocol of [2, 3]) {
    const through = `${name} with RESP${protocol}`;

    test(`a transaction by multi().exec() and locks do not disturb each other, through ${through}`, async () => {
      const owner = await lend(protocol);
      const { tenure, lock } = await locked(owner);
      const [replies, other] = await Promise.all([owner.transaction(), tenure.obtain("j"), lock.refresh()]);
      assert.deepEqual(replies, ["OK", "1"]);
      await Promise.all([lock.verify(), other.verify()]);
      assert.deepEqual(await Promise.all([lock.release(), other.release()]), ["confirmed", "confirmed"]);
      await tenure.close();
    });

    test(`MULTI word by word makes answers unknown, and loses no lock whose lease lasts, through ${through}`, async () => {
      const owner = await lend(protocol);
      const { tenure, lock } = await locked(owner);
      await owner.say("MULTI");
      await unknown(tenure.obtain("j"), "unreachable");
      await unknown(tenure.inspect("k"), "not_answered");
      await owner.say("DISCARD");
      await verified(lock);
      assert.equal(await lock.release(), "confirmed");
      await tenure.close();
      assert.equal(await control.command(port, ["DBSIZE"]), 0);
    });

    test(`EXEC of such a MULTI locks what was reported as unreachable, until the servers answer again, through ${through}`, async () => {
      const owner = await lend(protocol);
      const { tenure, lock } = await locked(owner);
      await owner.say("MULTI");
      await unknown(tenure.obtain("j", { ttl: HOUR }), "unreachable");
      const [reply] = await owner.say("EXEC");
      assert.equal(String(reply), "OK", "the SET is carried out only now");
      await verified(lock);
      while ((await control.command(port, ["EXISTS", "j"])) !== 0);
      await tenure.close();
    });

    test(`SELECT loses the lock, whose key stays behind until its ttl is over, through ${through}`, async () => {
      const owner = await lend(protocol);
      const { tenure, lock } = await locked(owner);
      await owner.say("SELECT", "1");
      await assert.rejects(lock.verify(), { name: "LockLostError", code: "taken" });
      await assert.rejects(lock.refresh(), { name: "LockLostError", code: "taken" });
      assert.equal(lock.signal.reason.code, "taken");
      const elsewhere = await tenure.obtain("k");
      assert.equal(await elsewhere.release(), "confirmed");
      await owner.say("SELECT", "0");
      await assert.rejects(tenure.obtain("k"), { code: "taken", ours: false });
      await tenure.close();
      assert.equal(await control.command(port, ["EXISTS", "k"]), 1);
    });

    if (protocol === 3) {
      test(`SUBSCRIBE disturbs nothing, through ${through}`, async () => {
        const owner = await lend(protocol);
        const { tenure, lock } = await locked(owner);
        await owner.subscribe();
        const other = await tenure.obtain("j");
        await Promise.all([lock.refresh(), other.verify()]);
        assert.deepEqual(await Promise.all([lock.release(), other.release()]), ["confirmed", "confirmed"]);
        await tenure.close();
      });
    } else {
      test(`SUBSCRIBE makes answers unknown until UNSUBSCRIBE, through ${through}`, async () => {
        const owner = await lend(protocol);
        const { tenure, lock } = await locked(owner);
        await owner.subscribe();
        await unknown(tenure.obtain("j"), "unreachable");
        await unknown(lock.verify(), "not_answered");
        await owner.unsubscribe();
        await verified(lock);
        assert.equal(await lock.release(), "confirmed");
        await tenure.close();
        assert.equal(await control.command(port, ["DBSIZE"]), 0);
      });
    }
  }

  for (const how of ["close", "destroy"]) {
    test(`a client of ${name} that its owner ends by ${how} loses its locks when their lease ends, and no earlier`, async () => {
      const owner = await lend(3);
      const { tenure, lock } = await locked(owner, 1_500);
      const long = await tenure.obtain("l", { ttl: 3_600_000 });
      const until = performance.now() + lock.remaining();
      await owner[how]();
      await unknown(long.verify(), "not_answered");
      await unknown(tenure.obtain("j"), "unreachable");
      await (lock.signal.aborted || once(lock.signal, "abort"));
      assert.deepEqual([lock.signal.reason.code, lock.remaining()], ["expired", 0]);
      assert.ok(performance.now() > until - 1, "its time was over");
      assert.equal(await lock.release(), "expired");
      await tenure.close();
      while ((await control.command(port, ["EXISTS", "k"])) !== 0);
    });
  }
}
