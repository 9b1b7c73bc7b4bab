// The entry `tenure/modes` on a real server: readers, writers, permits, and several handles of one lock.
//
//   node --test tests/modes.mjs     after ./build
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

import { Control } from "./control.mjs";

const packed = createRequire(import.meta.url);
const { connect, ArgumentError, Lock, LockLostError, Locker, NotObtainedError } = packed("../dist/modes/node.cjs");
const plain = packed("../dist/node.cjs");
const control = await new Control().open();
const port = await control.startFresh();
const url = `redis://127.0.0.1:${port}`;
const HOUR = 3_600_000;
const [a, b, c, d] = await Promise.all([connect(url), connect(url), connect(url), connect(url)]);
test.after(async () => {
  await Promise.all([a, b, c, d].map((locker) => locker.close()));
  await control.close();
});
test.beforeEach(() => control.command(port, ["FLUSHALL"]));

/** The error that a promise is rejected with: what it says of itself. */
async function refused(promise) {
  const error = await promise.then(() => assert.fail("it should have been rejected"), (reason) => reason);
  assert.ok(error instanceof NotObtainedError, String(error));
  return error;
}

/** Until so many requests wait in a queue of the key. */
async function waiting(key, count, queue = "~exclusive") {
  while ((await control.command(port, ["ZCARD", `{${key}}${queue}`])) < count);
}

test("readers share a key, and a writer learns who is in its way", async () => {
  const [one, other] = [await a.read("k", { ttl: HOUR }), await b.read("k", { ttl: HOUR })];
  assert.ok(one instanceof Lock && one.isHeld() && other.isHeld());
  assert.equal(await control.command(port, ["GET", "k"]), "~shared");

  const error = await refused(a.write("k"));

  assert.deepEqual([error.code, error.by, error.ours], ["taken", "sharing", false]);
  assert.match(error.message, /^"k": held by those who share it for about \d+ (min|h) more$/);
  assert.equal((await refused(c.obtain("k"))).by, "other");
  assert.deepEqual([await one.release(), await other.release()], ["confirmed", "confirmed"]);
  const writer = await a.write("k");
  assert.equal((await refused(b.read("k"))).by, "other");
  assert.equal((await refused(a.read("k"))).by, "ourselves");
  assert.equal((await refused(a.read("k"))).ours, true);
  assert.equal(await writer.release(), "confirmed");
});

test("a writer that waits stops readers that come later, and the error says so", async () => {
  const reader = await a.read("k", { ttl: HOUR });
  const writer = b.write("k", { ttl: HOUR, wait: HOUR });
  await waiting("k", 1);

  const error = await refused(a.read("k"));

  assert.deepEqual([error.code, error.by], ["taken", "queue"]);
  assert.match(error.message, /^"k": held by a client that has waited longer/);
  await reader.release();
  await (await writer).release();
  await (await a.read("k")).release();
});

test("writers of several processes come in the order of their requests", async () => {
  const first = await a.write("k", { ttl: HOUR });
  const order = [];
  const wanted = [];
  for (const [name, locker] of [["b", b], ["c", c], ["d", d]]) {
    wanted.push(locker.obtain("k", { mode: "write", ttl: HOUR, wait: HOUR }).then(async (lock) => (order.push(name), await lock.release())));
    await waiting("k", wanted.length);
  }
  await first.release();
  await Promise.all(wanted);
  assert.deepEqual(order, ["b", "c", "d"]);
});

test("permits never exceed their number", async () => {
  const [one, two] = [await a.permit("k", 2, { ttl: HOUR }), await b.permit("k", 2, { ttl: HOUR })];
  assert.deepEqual(one.mode, { permits: 2 });
  assert.equal(await a.tryObtain("k", { mode: { permits: 2 } }), null);
  assert.equal((await refused(b.permit("k", 2))).by, "sharing");
  const third = c.permit("k", 2, { ttl: HOUR, wait: HOUR });
  await waiting("k", 1, "~shared");
  await two.release();
  assert.ok((await third).isHeld());
  assert.equal(await control.command(port, ["ZCARD", "{k}~in"]), 2);
  await Promise.all([one.release(), (await third).release()]);
});

test("using and await using release locks of each mode", async () => {
  const modes = ["exclusive", "write", "read", { permits: 1 }];
  for (const mode of modes) {
    const inside = await a.using("k", { mode }, async (lock) => [lock.isHeld(), lock.mode]);
    assert.deepEqual(inside, [true, mode]);
    const lock = await a.obtain("k", { mode });
    await lock[Symbol.asyncDispose]();
    assert.equal(await control.command(port, ["EXISTS", "k"]), 0);
  }
});

test("a lock that is shared is verified by its own lease", async () => {
  for (const lock of [await a.read("k", { ttl: HOUR }), await a.write("j", { ttl: HOUR }), await a.obtain("i", { ttl: HOUR })]) {
    await lock.verify();
    assert.ok((await lock.remainingOnServers()) > 0.9 * HOUR);
  }
  const reader = await b.read("h", { ttl: HOUR, renew: false });
  await control.command(port, ["ZREM", "{h}~in", reader.token]);
  await assert.rejects(reader.verify(), LockLostError);
});

test("a reader whose key was deleted is lost at its next refresh", async () => {
  const reader = await a.read("k", { ttl: HOUR });
  await control.command(port, ["DEL", "k"]);
  await assert.rejects(reader.refresh(), { name: "LockLostError", code: "taken" });
  assert.ok(reader.signal.aborted);
  assert.equal(await reader.release(), "missing");
});

test("the last handle of a lock releases it", async () => {
  for (const mode of ["exclusive", "read"]) {
    const lock = await a.obtain("k", { ttl: HOUR, mode, fence: mode === "exclusive" });
    const inner = lock.again();
    assert.deepEqual([inner.token, inner.fence, inner.mode], [lock.token, lock.fence, mode]);
    assert.equal(await inner.release(), "shared");
    assert.equal(await inner.release(), "shared", "it may be called again");
    assert.deepEqual([inner.isHeld(), inner.remaining(), lock.isHeld()], [false, 0, true]);
    assert.throws(() => inner.assertHeld(), { code: "released" });
    assert.throws(() => inner.again(), { code: "released" });
    await assert.rejects(inner.refresh(), { code: "released" });
    inner.stopRenewing();
    assert.ok((await lock.refresh()) > 0.9 * HOUR);
    assert.equal(await control.command(port, ["EXISTS", "k"]), 1);
    assert.equal(await lock.release(), "confirmed");
    assert.equal(await control.command(port, ["EXISTS", "k"]), 0);
    assert.throws(() => lock.again(), { code: "released" });
  }
});

test("work whose lock has another handle leaves it held", async () => {
  let kept;
  assert.equal(await a.using("k", { ttl: HOUR }, (lock) => ((kept = lock.again()), 7)), 7);
  assert.ok(kept.isHeld());
  assert.equal(await kept.release(), "confirmed");
});

test("a loss ends all handles", async () => {
  const lock = await a.obtain("k", { ttl: HOUR });
  const inner = lock.again();
  await control.command(port, ["DEL", "k"]);
  await new Promise((resolve) => inner.signal.addEventListener("abort", resolve));
  assert.ok(lock.signal.aborted && !lock.isHeld());
  assert.throws(() => lock.again(), { name: "LockLostError", code: "taken" });
  assert.deepEqual([await inner.release(), await lock.release()], ["missing", "missing"]);
});

test("what a mode cannot do is refused with the reason, before anything is sent", async () => {
  const why = async (promise) => {
    const error = await refused(promise);
    assert.deepEqual([error.code, error.by, error.fault], ["unsupported", undefined, undefined]);
    return error.message;
  };
  assert.match(await why(a.obtain(["j", "k"], { mode: "read" })), /^"j" and 1 more: not possible: .* have one key/);
  assert.match(await why(a.read("k", { fence: true })), /no fence/);
  assert.match(await why(a.read("k", { token: "~shared" })), /must not be "~shared"/);
  assert.match(await why(a.obtain("k", { token: "~sha", metadata: "red" })), /must not be "~shared"/);
  const others = [await control.startFresh(), await control.startFresh()];
  const all = [url, ...others.map((other) => `redis://127.0.0.1:${other}`)];
  const many = await connect(all);
  assert.match(await why(many.write("k")), /with a quorum, each server/);
  await many.close();
  const ordered = await connect(all, { arrangement: "ordered" });
  const lock = await ordered.read("k");
  assert.equal(await control.command(others[1], ["GET", "k"]), "~shared");
  await lock.release();
  await ordered.close();
});

test("a mode that there is not is an ArgumentError", async () => {
  for (const mode of ["shared", "", 1, true, null, [], {}, { permits: 0 }, { permits: -1 }, { permits: "2" }, { permits: NaN }, { permits: 1, more: 1 }, { read: 1 }]) {
    await assert.rejects(a.obtain("k", { mode }), (error) => error instanceof ArgumentError && error.code === "bad_option" && /mode/.test(error.message), JSON.stringify(mode));
  }
  await assert.rejects(a.permit("k", 0), ArgumentError);
  await assert.rejects(a.permit("k"), ArgumentError);
  assert.equal(await control.command(port, ["DBSIZE"]), 0);
});

test("the entry without modes has none of this", async () => {
  assert.notEqual(plain.Locker, Locker);
  for (const name of ["read", "write", "permit"]) {
    assert.ok(!(name in plain.Locker.prototype), name);
  }
  assert.ok(!("again" in plain.Lock.prototype));
  const tenure = await plain.connect(url);
  await assert.rejects(tenure.obtain("k", { mode: "read" }), plain.ArgumentError);
  const lock = await tenure.obtain("k");
  assert.equal((await refused(a.read("k"))).by, "other");
  await lock.release();
  await tenure.close();
});
