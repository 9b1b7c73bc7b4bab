// Grants that a real replica must confirm: one that follows, and one that has stopped. What it promises is in
// core/docs/failover.md.
//
//   node --test tests/acks.mjs     after ./build
import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";
import { connect as dial } from "node:net";
import { Duplex } from "node:stream";
import { after, afterEach, test } from "node:test";

import { Control } from "./control.mjs";

const from = createRequire(new URL("runtimes/package.json", import.meta.url));
const packed = createRequire(import.meta.url);
const { connect, ArgumentError, ConnectError, LockLostError, NotObtainedError } = packed("../dist/modes/node.cjs");
const { ioredis, lend, nodeRedis, upstash } = packed("../dist/clients.cjs");
const HOUR = 3_600_000;
/** However slow this machine is. Scripts are known, so that no release takes a second request. */
const PATIENT = { requestTimeout: 60_000, prepare: true };
/** Short, so that a replica that has stopped costs little time. */
const SHORT = { received: 1, within: 20 };
const LIMIT = { timeout: 300_000 };

const control = await new Control().open();
const ends = [];
afterEach(async () => {
  for (const end of ends.splice(0)) {
    await end();
  }
});
after(() => control.close());

/** A server with a replica that follows. */
async function pair(more = {}, name = undefined) {
  const options = { "repl-diskless-sync-delay": 0, "repl-timeout": 3_600, ...more };
  const server = await control.startFresh(options, name);
  const replica = await control.startFresh(options, name);
  await control.command(replica, ["REPLICAOF", "127.0.0.1", `${server}`]);
  // What is written before it follows is in the copy that it begins with.
  while (!(await control.command(replica, ["INFO", "replication"])).includes("master_link_status:up"));
  ends.push(() => Promise.all([control.kill(server), control.kill(replica)]));
  return { server, replica, url: `redis://127.0.0.1:${server}` };
}

async function locker(servers, acks, options = PATIENT) {
  const made = await connect(servers, { ...options, acks });
  ends.unshift(() => made.close());
  return made;
}

/** The error that a promise is rejected with. */
const rejected = (promise) => promise.then(() => assert.fail("it should have been rejected"), (reason) => reason);

async function refused(promise, fault = "no_replicas") {
  const error = await rejected(promise);
  assert.ok(error instanceof NotObtainedError, String(error));
  assert.deepEqual([error.code, error.fault], ["unreachable", fault], error.message);
  return error;
}

const exists = (port, key = "k") => control.command(port, ["EXISTS", key]);

/** How often the server has replied to a command. */
async function calls(port, command) {
  const stats = await control.command(port, ["INFO", "commandstats"]);
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

test("a lock that is reported is on the replica, also a shared one and a fence", LIMIT, async () => {
  const { server, replica, url } = await pair();
  const tenure = await locker(url, { received: 1 });
  const before = await calls(server, "wait");
  for (let round = 0; round < 20; round += 1) {
    const lock = await tenure.obtain(`k${round}`, { ttl: HOUR });
    assert.equal(await control.command(replica, ["GET", lock.key]), lock.token);
  }
  assert.equal(await calls(server, "wait"), before + 20);
  await tenure.read("r", { ttl: HOUR });
  assert.equal(await control.command(replica, ["GET", "r"]), "~shared");
  const { fence } = await tenure.obtain("f", { ttl: HOUR, fence: true });
  assert.equal(await control.command(replica, ["GET", "{f}~fence"]), `${fence}`);
});

test("without acks nothing is sent for them", LIMIT, async () => {
  const { server, url } = await pair();
  const tenure = await locker(url, undefined);
  const lock = await tenure.obtain("k", { ttl: HOUR });
  await lock.refresh();
  await lock.release();
  assert.equal(await calls(server, "wait"), 0);
});

test("with a replica that has stopped nothing is granted, and no key is left when the wait ends", LIMIT, async () => {
  const { server, replica, url } = await pair();
  const tenure = await locker(url, SHORT);
  control.stop(replica);
  const error = await refused(tenure.obtain("k", { ttl: HOUR }));
  assert.equal(error.message, '"k": too few servers replied: NOREPLICAS: too few of its replicas follow it, or confirm in time');
  for (const options of [{}, { wait: 300 }, { wait: 550 }]) {
    // On a busy machine nothing may have been replied in that time, which is another fault.
    assert.equal((await rejected(tenure.obtain("k", { ttl: HOUR, ...options }))).code, "unreachable");
    // The release is in front of this, on the same connection.
    assert.equal(await tenure.inspect("k"), null);
    assert.equal(await exists(server), 0);
  }
  await refused(tenure.tryObtain("k", { ttl: HOUR }));
  const closing = await connect(url, { ...PATIENT, acks: SHORT });
  assert.equal((await rejected(closing.obtain("k", { ttl: HOUR, wait: 100 }))).code, "unreachable");
  await closing.close();
  assert.equal(await exists(server), 0, "a locker that closes right after that leaves none either");
});

test("a request that waits is granted once the replica goes on", LIMIT, async () => {
  const { server, replica, url } = await pair();
  const tenure = await locker(url, SHORT);
  control.stop(replica);
  let isSettled = false;
  const waits = tenure.obtain("k", { ttl: HOUR, wait: HOUR });
  waits.finally(() => (isSettled = true));
  await refused(tenure.obtain("other", { ttl: HOUR }));
  await refused(tenure.obtain("other", { ttl: HOUR }));
  assert.equal(isSettled, false);
  control.go(replica);
  const lock = await waits;
  assert.equal(await control.command(replica, ["GET", "k"]), lock.token);
  assert.equal(await lock.release(), "confirmed");
  assert.equal(await exists(server), 0);
});

test("a refresh that no replica confirms does not extend the lease", LIMIT, async () => {
  const { replica, url } = await pair();
  const tenure = await locker(url, SHORT);
  const lock = await tenure.obtain("k", { ttl: 4_000, wait: HOUR });
  control.stop(replica);
  const lost = once(lock.signal, "abort");
  const error = await rejected(lock.refresh(HOUR));
  assert.ok(error instanceof LockLostError, String(error));
  assert.deepEqual([error.code, error.fault], ["expired", "no_replicas"]);
  await lost;
  assert.equal(lock.signal.reason.code, "expired");
});

test("a lock is held by the replica that takes over", LIMIT, async () => {
  const { server, replica, url } = await pair();
  // To close it takes a request timeout, because the server is gone.
  const tenure = await locker(url, { received: 1 }, {});
  const lock = await tenure.obtain("k", { ttl: HOUR, wait: HOUR });
  await control.kill(server);
  await control.command(replica, ["REPLICAOF", "NO", "ONE"]);
  const other = await locker(`redis://127.0.0.1:${replica}`, undefined);
  assert.equal((await rejected(other.obtain("k"))).code, "taken");
  assert.equal(await control.command(replica, ["GET", "k"]), lock.token);
});

test("each of several servers has its own replica, and what one has granted is given back", LIMIT, async () => {
  const pairs = [await pair(), await pair(), await pair()];
  const urls = pairs.map(({ url }) => url);
  const [all, most] = [await locker(urls, SHORT, { ...PATIENT, arrangement: "ordered" }), await locker(urls, SHORT)];
  /** Nothing is left. An answer of most servers is enough for an inspection, so it may come before the last release. */
  const free = async (tenure) => {
    for (const { server } of pairs) {
      while ((await exists(server)) === 1) {
        await tenure.inspect("k");
      }
    }
  };
  assert.equal(await (await all.obtain("k", { ttl: HOUR, wait: HOUR })).release(), "confirmed");
  control.stop(pairs[2].replica);
  await refused(all.obtain("k", { ttl: HOUR }));
  await free(all);
  const lock = await most.obtain("k", { ttl: HOUR, wait: HOUR });
  assert.equal(await lock.release(), "confirmed", "two of three are enough");
  control.stop(pairs[1].replica);
  await refused(most.obtain("k", { ttl: HOUR }));
  await free(most);
});

test("a grant may have to be on disk", LIMIT, async () => {
  const { server, replica, url } = await pair({ appendonly: "yes" }, "valkey9");
  for (const persisted of [0, 1]) {
    const tenure = await locker(url, { persisted });
    assert.equal(await (await tenure.obtain("k", { ttl: HOUR, wait: HOUR })).release(), "confirmed");
  }
  assert.ok((await calls(server, "waitaof")) >= 4);
  const own = await locker(url, { persisted: 0 });
  const both = await locker(url, { persisted: 1, within: 20 });
  control.stop(replica);
  assert.equal(await (await own.obtain("k", { ttl: HOUR, wait: HOUR })).release(), "confirmed");
  await refused(both.obtain("k", { ttl: HOUR }));
  assert.equal(await both.inspect("k"), null);
});

test("a server that cannot wait as required is refused while connecting", LIMIT, async () => {
  const without = await control.startFresh({}, "valkey9");
  // Before 7.2 `WAITAOF` is unknown.
  const old = await control.startFresh({ appendonly: "yes" }, "redis7");
  ends.push(() => Promise.all([control.kill(without), control.kill(old)]));
  for (const port of [without, old]) {
    const reasons = [];
    const onEvent = ({ type, reason }) => type === "node_down" && reasons.push(reason);
    const error = await rejected(connect(`redis://127.0.0.1:${port}`, { ...PATIENT, acks: { persisted: 0 }, onEvent }));
    assert.ok(error instanceof ConnectError, String(error));
    assert.match(error.message, /: it cannot wait for its replicas, or has no append-only file: see WAIT and WAITAOF\)$/);
    assert.deepEqual(reasons, ["no_acks"]);
  }
  await control.command(old, ["ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all", "-wait"]);
  const error = await rejected(connect(`redis://app:secret@127.0.0.1:${old}`, { ...PATIENT, acks: { received: 1 } }));
  assert.match(error.message, /NOPERM/);
});

test("a token of your own is refused, and nothing is sent", LIMIT, async () => {
  const { server, url } = await pair();
  const tenure = await locker(url, { received: 1 });
  const before = await calls(server, "set");
  const error = await rejected(tenure.obtain("k", { token: "mine" }));
  assert.ok(error instanceof NotObtainedError, String(error));
  assert.equal(error.code, "unsupported");
  assert.match(error.message, /a token of your own cannot wait for replicas: its key may have been written by others$/);
  assert.equal(await calls(server, "set"), before);
});

test("what comes from tenure/clients is refused, and a transport of one connection is not", LIMIT, async () => {
  const { replica, server, url } = await pair();
  const { Redis } = from("ioredis");
  const { createClient } = from("redis");
  const unused = () => assert.fail("nothing is sent");
  const clients = [
    ioredis(new Redis(server, "127.0.0.1", { lazyConnect: true, autoResendUnfulfilledCommands: false })),
    nodeRedis(createClient({ url })),
    upstash({ url: "https://127.0.0.1:1", token: "t" }),
    lend({ name: "mine", send: unused }),
  ];
  for (const client of clients) {
    for (const servers of [client, [url, client]]) {
      const error = await rejected(connect(servers, { acks: { received: 1 }, arrangement: "ordered" }));
      assert.ok(error instanceof ArgumentError, String(error));
      assert.equal(error.code, "acks_over_client");
      assert.match(error.message, /give a URL, or leave out acks$/);
    }
  }
  let sent = "";
  const own = () => {
    const { readable, writable } = Duplex.toWeb(dial(server, "127.0.0.1"));
    const writer = writable.getWriter();
    const write = (bytes) => {
      sent += Buffer.from(bytes);
      return writer.write(bytes);
    };
    return { readable, writable: new WritableStream({ write, close: () => writer.close() }) };
  };
  const tenure = await locker({ connect: own }, { received: 1, within: 50 });
  const lock = await tenure.obtain("k", { ttl: HOUR, wait: HOUR });
  assert.equal(await control.command(replica, ["GET", "k"]), lock.token);
  assert.ok(sent.includes("*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$2\r\n50\r\n"), "in the time that was given");
});
