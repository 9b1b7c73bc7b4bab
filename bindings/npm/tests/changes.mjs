// The entry `tenure/modes` on a real server: locks that change from reader to writer and back, and `status`.
//
//   node --test tests/changes.mjs     after ./build; TENURE_SERVER=redis62 or valkey9 for another server than redis7
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { test } from "node:test";
import { promisify } from "node:util";

import { Control } from "./control.mjs";
import { Lossy } from "./lossy.mjs";

const packed = createRequire(import.meta.url);
const { connect, ArgumentError, InspectError, LockLostError, ModeError, TenureError } = packed("../dist/modes/node.cjs");
const plain = packed("../dist/node.cjs");
const control = await new Control().open();
const port = await control.startFresh();
const url = `redis://127.0.0.1:${port}`;
const HOUR = 3_600_000;
const events = [];
const onEvent = (event) => event.type.endsWith("changed") && events.push(event);
const [a, b, c] = await Promise.all([connect(url, { onEvent }), connect(url), connect(url)]);
test.after(async () => {
  await Promise.all([a, b, c].map((locker) => locker.close()));
  await control.close();
});
test.beforeEach(async () => {
  await control.command(port, ["FLUSHALL"]);
  events.length = 0;
});

/** The error that a change is rejected with. */
async function refused(promise) {
  const error = await promise.then(() => assert.fail("it should have been rejected"), (reason) => reason);
  assert.ok(error instanceof ModeError && error instanceof TenureError, String(error));
  assert.equal(error.name, "ModeError");
  assert.match(error.stack, /changes\.mjs/, "the caller is in the stack");
  return error;
}

const isLost = (code) => (error) => error instanceof LockLostError && error.code === code;

/** Until so many requests wait in order to have the key alone. */
async function waiting(key, count) {
  while ((await control.command(port, ["ZCARD", `{${key}}~exclusive`])) < count);
}

test("a reader becomes a writer and a reader again", async () => {
  const lock = await a.read("k", { ttl: HOUR });
  assert.deepEqual([lock.mode, lock.isShared()], ["read", true]);

  const upgrading = lock.tryUpgrade();
  assert.deepEqual([lock.mode, lock.isShared()], ["read", true], "a reader until it is granted");
  assert.equal(await upgrading, undefined);
  assert.deepEqual([lock.mode, lock.isShared(), lock.isHeld()], ["write", false, true]);
  assert.equal(await control.command(port, ["GET", "k"]), lock.token);
  assert.equal(await b.tryObtain("k", { mode: "read" }), null);
  await lock.verify();

  const downgrading = lock.downgrade();
  assert.deepEqual([lock.mode, lock.isShared()], ["read", true], "a reader from the request on");
  await downgrading;
  assert.equal(await control.command(port, ["GET", "k"]), "~shared");
  await (await b.read("k")).release();
  await lock.verify();
  assert.equal(await lock.release(), "confirmed");
  assert.deepEqual([lock.mode, lock.isShared()], ["read", false], "the last known mode");
  assert.equal(await control.command(port, ["EXISTS", "k", "{k}~in"]), 0);
  assert.deepEqual(events.map(({ type, mode, keys }) => [type, mode, keys]), [["changed", "write", ["k"]], ["changed", "read", ["k"]]]);
  assert.ok(events.every(({ remaining }) => remaining > 0.9 * HOUR));
});

test("a reader beside another one does not become a writer, and may try again", async () => {
  const [lock, other] = [await a.read("k", { ttl: HOUR }), await b.read("k", { ttl: HOUR })];
  for (const reader of [lock, other]) {
    const error = await refused(reader.tryUpgrade());
    assert.deepEqual([error.code, error.by, error.fault, error.keys], ["taken", "sharing", undefined, ["k"]]);
    assert.equal(error.message, '"k": not changed: held by those who share it');
    assert.ok(reader.isShared());
  }
  assert.deepEqual(events, [{ type: "not_changed", keys: ["k"], reason: "taken", fault: undefined }]);
  await other.release();
  await lock.tryUpgrade();
  assert.equal(lock.isShared(), false);
  assert.equal(await lock.release(), "confirmed");
  assert.equal(lock.mode, "write", "the last known mode");
});

test("a permit that was a writer is a permit again", async () => {
  const lock = await a.permit("k", 2, { ttl: HOUR });
  await lock.tryUpgrade();
  assert.equal(lock.mode, "write");
  await lock.downgrade();
  assert.deepEqual(lock.mode, { permits: 2 });
  const second = await b.permit("k", 2, { ttl: HOUR });
  assert.equal(await c.tryObtain("k", { mode: { permits: 2 } }), null);
  await Promise.all([lock.release(), second.release()]);
});

test("a downgrade lets readers in, but no writer that waits", async () => {
  const lock = await a.write("k", { ttl: HOUR });
  const reading = b.read("k", { ttl: HOUR, wait: HOUR });
  while ((await control.command(port, ["ZCARD", "{k}~shared"])) === 0);
  let written = false;
  const writing = c.write("k", { ttl: HOUR, wait: HOUR }).then((writer) => ((written = true), writer));
  await waiting("k", 1);
  await lock.downgrade();
  const reader = await reading;
  assert.deepEqual([lock.isShared(), reader.isShared(), written], [true, true, false]);
  await reader.release();
  await lock.tryUpgrade();
  assert.equal(written, false, "an upgrade goes ahead of the queue");
  await lock.release();
  await (await writing).release();
});

test("a fence ends with a downgrade, and the next one is larger", async () => {
  const lock = await a.write("k", { ttl: HOUR, fence: true });
  const { fence } = lock;
  assert.ok(fence > 0);
  const downgrading = lock.downgrade();
  assert.equal(lock.fence, undefined, "from the request on");
  await downgrading;
  assert.equal(lock.fence, undefined);
  await lock.tryUpgrade();
  assert.ok(lock.fence > fence);
  assert.equal((await b.status("k")).fence, lock.fence);
  await lock.release();
  const reader = await a.read("k");
  await reader.tryUpgrade();
  assert.equal(reader.fence, undefined, "a lock that began as a reader has none");
  await reader.release();
});

test("all handles of a lock change", async () => {
  const lock = await a.read("k", { ttl: HOUR });
  const inner = lock.again();
  await inner.tryUpgrade();
  assert.deepEqual([lock.mode, inner.mode, lock.again().mode], ["write", "write", "write"]);
  assert.equal(await inner.release(), "shared");
  await assert.rejects(inner.downgrade(), isLost("released"));
  await assert.rejects(inner.tryUpgrade(), isLost("released"));
  assert.deepEqual([inner.isShared(), lock.isShared()], [false, false]);
  await lock.downgrade();
  assert.ok(lock.isShared() && !inner.isShared(), "a handle that was released is none of the lock");
});

test("what cannot change is refused before anything is sent, and stays as it is", async () => {
  const one = await connect([url, `redis://127.0.0.1:${await control.startFresh()}`], { arrangement: "ordered" });
  const cases = [
    ["exclusive", await a.obtain("1", { ttl: HOUR }), /"1": only locks by `read`/],
    ["same_mode", await a.write("2", { ttl: HOUR }), /has that mode already/],
    ["own_token", await a.read("3", { ttl: HOUR, token: "mine" }), /token of your own/],
    ["several_servers", await one.read("4", { ttl: HOUR }), /several servers/],
  ];
  for (const [code, lock, message] of cases) {
    const before = await control.command(port, ["INFO", "commandstats"]);
    const { mode } = lock;
    const error = await refused(lock.tryUpgrade());
    assert.deepEqual([error.code, error.by, error.fault, lock.mode], [code, undefined, undefined, mode]);
    assert.match(error.message, message);
    const scripts = (text) => [...text.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].map(String);
    assert.deepEqual(scripts(await control.command(port, ["INFO", "commandstats"])), scripts(before), "nothing was sent");
    assert.ok(lock.isHeld());
  }
  assert.equal((await refused(cases[0][1].downgrade())).code, "exclusive");
  const reader = await a.read("5", { ttl: HOUR });
  assert.equal((await refused(reader.downgrade())).code, "same_mode");
  const upgrading = reader.tryUpgrade();
  assert.equal((await refused(reader.tryUpgrade())).code, "under_way");
  await upgrading;
  assert.deepEqual(events.map(({ type }) => type), ["changed"], "a refusal is no event");
  await one.close();
});

test("a lock whose key was deleted is lost when it changes", async () => {
  for (const [mode, change] of [["read", "tryUpgrade"], ["write", "downgrade"]]) {
    const lock = await a.obtain("k", { mode, ttl: HOUR });
    // Only the server knows: the change is under way when the engine learns of it.
    const changing = control.command(port, ["DEL", "k", "{k}~in"]).then(() => lock[change]());
    await assert.rejects(changing, isLost("taken"));
    await assert.rejects(lock[change](), isLost("taken"));
    assert.ok(lock.signal.aborted && !lock.isShared());
    assert.equal(await lock.release(), "missing");
  }
});

test("a change ends with its lock and its locker", async () => {
  const lock = await a.read("k", { ttl: HOUR });
  const [upgrading] = [lock.tryUpgrade(), lock.release()];
  await assert.rejects(upgrading, isLost("released"));
  await assert.rejects(lock.tryUpgrade(), isLost("released"));
  const locker = await connect(url);
  const other = await locker.read("j", { ttl: HOUR });
  control.stop(port);
  const changing = other.tryUpgrade();
  const closed = locker.close();
  control.go(port);
  await assert.rejects(changing, isLost("closed"));
  await closed;
});

test("after a lost reply a lock counts as a reader, and changes no more", async () => {
  for (const [mode, change] of [["read", "tryUpgrade"], ["write", "downgrade"]]) {
    const proxy = new Lossy(port);
    const locker = await connect(`redis://127.0.0.1:${await proxy.open()}`, { onEvent });
    const lock = await locker.obtain("k", { mode, ttl: HOUR, fence: mode === "write" });
    events.length = 0;
    proxy.lose(1);
    const error = await refused(lock[change]());
    assert.deepEqual([error.code, error.by, error.fault], ["unanswered", undefined, "disconnected"]);
    assert.equal(error.message, '"k": not changed: it is not known whether it changed: not connected');
    assert.deepEqual(events, [{ type: "not_changed", keys: ["k"], reason: "unanswered", fault: "disconnected" }]);
    assert.deepEqual([lock.isHeld(), lock.isShared(), lock.mode, lock.fence], [true, true, "read", undefined]);
    for (const again of ["tryUpgrade", "downgrade"]) {
      assert.equal((await refused(lock[again]())).code, "unsettled", again);
    }
    await lock.refresh();
    assert.equal(await lock.release(), "confirmed");
    await locker.close();
    proxy.close();
  }
});

test("a server that refuses a change says why", async () => {
  const [reader, writer] = [await a.read("k", { ttl: HOUR }), await a.write("j", { ttl: HOUR })];
  await control.command(port, ["ACL", "SETUSER", "default", "-@scripting"]);
  try {
    for (const [lock, change] of [[reader, "tryUpgrade"], [writer, "downgrade"]]) {
      const error = await refused(lock[change]());
      assert.deepEqual([error.code, error.by], ["failed", undefined]);
      assert.ok(["no_permission", "no_scripts"].includes(error.fault), error.fault);
      assert.match(error.message, /^"[jk]": not changed: the server did not change it: \w/);
      assert.ok(lock.isHeld() && lock.isShared());
    }
    await assert.rejects(b.status("k"), (error) => error instanceof InspectError && ["no_permission", "no_scripts"].includes(error.fault));
  } finally {
    await control.command(port, ["ACL", "SETUSER", "default", "+@scripting"]);
  }
  await reader.tryUpgrade();
  assert.equal((await refused(writer.tryUpgrade())).code, "unsettled");
  await Promise.all([reader.release(), writer.release()]);
});

test("nobody is beside a lock that has become a writer", async () => {
  let [readers, writers, upgrades] = [0, 0, 0];
  const alone = async (lock) => {
    assert.deepEqual([readers, writers], [0, 0]);
    writers += 1;
    await lock.verify();
    writers -= 1;
  };
  const reads = async (locker) => {
    for (let round = 0; round < 10; round += 1) {
      const lock = await locker.read("k", { ttl: HOUR, wait: HOUR });
      assert.equal(writers, 0);
      readers += 1;
      await lock.verify();
      readers -= 1;
      const error = await lock.tryUpgrade().catch((reason) => reason);
      if (error === undefined) {
        upgrades += 1;
        await alone(lock);
        await lock.downgrade();
      } else {
        assert.equal(error.code, "taken");
      }
      await lock.release();
    }
  };
  const writes = async (locker) => {
    for (let round = 0; round < 10; round += 1) {
      await locker.using("k", { mode: "write", ttl: HOUR, wait: HOUR }, alone);
    }
  };
  await Promise.all([a, b, c].flatMap((locker) => [reads(locker), writes(locker)]));
  const last = await a.read("k");
  await last.tryUpgrade();
  await last.release();
  assert.ok(upgrades <= 30);
  assert.equal(await control.command(port, ["DBSIZE"]), 0);
});

test("the status of a key that is free, held and shared", async () => {
  const free = { isShared: false, held: null, holders: [], more: 0, waiting: 0, fence: undefined };
  assert.deepEqual(await a.status("k"), free);

  const lock = await a.obtain("k", { ttl: HOUR, metadata: "host-7", fence: true });
  const { holders, held, ...rest } = await b.status("k");
  assert.deepEqual(rest, { isShared: false, more: 0, waiting: 0, fence: lock.fence });
  assert.equal(holders.length, 1);
  for (const found of [held, ...holders]) {
    const { bytes, remaining, ...text } = found;
    assert.deepEqual(text, { value: `${lock.token}host-7`, metadata: "host-7" });
    assert.equal(new TextDecoder().decode(bytes), text.value);
    assert.ok(remaining > 0.9 * HOUR && remaining <= HOUR, `${remaining}`);
  }
  assert.equal(await lock.release(), "confirmed");
  assert.deepEqual(await b.status("k"), { ...free, fence: lock.fence });

  const [one, two] = [await a.read("k", { ttl: HOUR, metadata: "one" }), await b.read("k", { ttl: 2 * HOUR, metadata: "two" })];
  const writing = c.write("k", { ttl: HOUR, wait: HOUR });
  await waiting("k", 1);
  const shared = await c.status("k");
  assert.deepEqual([shared.isShared, shared.held.value, shared.more, shared.waiting], [true, "~shared", 0, 1]);
  assert.deepEqual(shared.holders.map(({ metadata }) => metadata), ["two", "one"], "the longest lease first");
  assert.ok(shared.holders[0].remaining > HOUR && shared.holders[1].remaining <= HOUR);
  await Promise.all([one.release(), two.release()]);
  await (await writing).release();
});

test("the status of a key with many holders, and of keys of others", async () => {
  const many = await Promise.all(Array.from({ length: 103 }, () => a.read("k", { ttl: HOUR })));
  const { holders, more, isShared } = await b.status("k");
  assert.deepEqual([holders.length, more, isShared], [100, 3, true]);
  await Promise.all(many.map((lock) => lock.release()));
  await control.command(port, ["SET", "p:other", "x"]);
  const prefixed = await connect(url, { prefix: "p:" });
  const { held, holders: [holder], waiting } = await prefixed.status(new TextEncoder().encode("other"));
  assert.deepEqual([held.value, held.metadata, held.remaining, holder.value, waiting], ["x", undefined, Infinity, "x", 0]);
  await prefixed.close();
  await assert.rejects(prefixed.status("k"), { name: "ClosedError" });
  await assert.rejects(a.status(""), ArgumentError);
});

test("a process may end once an inspection, a status and a change are over", async ({ signal }) => {
  const program = `
    const { connect } = require(${JSON.stringify(packed.resolve("../dist/modes/node.cjs"))});
    connect(${JSON.stringify(url)}).then(async (locker) => {
      locker.unref();
      const lock = await locker.read("k");
      await lock.tryUpgrade();
      await lock.release();
      console.log(await locker.inspect("k"), (await locker.status("k")).held);
    });`;
  // Without an end of its own it is killed when this test is.
  const { stdout } = await promisify(execFile)(process.execPath, ["-e", program], { signal });
  assert.equal(stdout, "null null\n");
});

test("the entry without modes has none of this", async () => {
  for (const [name, object] of [["status", plain.Locker], ["tryUpgrade", plain.Lock], ["downgrade", plain.Lock], ["isShared", plain.Lock]]) {
    assert.ok(!(name in object.prototype), name);
  }
  assert.equal(plain.ModeError, undefined);
});
