// The entry `tenure/locks` where it differs from a browser, or a browser has no case for it, on a real server.
//
//   node --test tests/locks-lost.mjs     after ./build
import assert from "node:assert/strict";
import { test } from "node:test";

import { connect, hold, isDom, LockManager, neverCalled, pair } from "./requests.mjs";

const { control, port, url, here, locks, others } = await pair();

test("a lock that is lost rejects its request with an AbortError, and its callback goes on", async () => {
  for (const mode of ["exclusive", "shared"]) {
    const { lock, end, done } = await hold(locks, "lost", { mode });
    const value = await control.command(port, ["GET", "locks:lost"]);
    await control.command(port, ["DEL", "locks:lost"]);
    if (mode === "exclusive") {
      await isDom(done, "AbortError");
      const reason = await done.catch((error) => error.cause);
      assert.deepEqual([reason.name, reason.code], ["LockLostError", "taken"]);
      assert.ok(lock.signal.aborted && Object.is(lock.signal.reason, reason));
      assert.equal(await others.request("lost", () => 7), 7, "and others have it");
      end.resolve("too late");
    } else {
      // Nobody reports that to readers before the next renewal: the release finds it.
      assert.equal(value, "~shared");
      end.resolve("done without the lock");
      await isDom(done, "AbortError");
    }
    assert.deepEqual((await locks.query()).held, []);
  }
});

test("steal is refused with a NotSupportedError, and the holder keeps its lock", async () => {
  const { lock, end, done } = await hold(others, "stolen");
  await isDom(locks.request("stolen", { steal: true }, neverCalled), "NotSupportedError");
  assert.ok(!lock.signal.aborted);
  end.resolve(7);
  assert.equal(await done, 7);
});

test("requests of several clients are granted in the order in which they were made", async () => {
  const { end, done } = await hold(locks, "order");
  const granted = [];
  const wanted = [];
  for (const [manager, mode, name] of [[others, "shared", "a"], [new LockManager(await spare()), "exclusive", "b"], [new LockManager(await spare()), "shared", "c"]]) {
    wanted.push(manager.request("order", { mode }, () => granted.push(name)));
    // Until it has its place in the queue.
    const places = async () => (await control.command(port, ["ZCARD", "{locks:order}~exclusive"])) + (await control.command(port, ["ZCARD", "{locks:order}~shared"]));
    while ((await places()) < wanted.length);
  }
  end.resolve();
  await Promise.all([done, ...wanted]);
  assert.deepEqual(granted, ["a", "b", "c"]);
});

/** One more client, which ends with the tests. */
async function spare() {
  const locker = await connect(url);
  test.after(() => locker.close());
  return locker;
}

test("a name that is too long, a closed Locker and a server that refuses have errors of their own", async () => {
  await isDom(locks.request("x".repeat(1_025), neverCalled), "NotSupportedError");
  const locker = await connect(url);
  await locker.close();
  await isDom(new LockManager(locker).request("k", neverCalled), "InvalidStateError");
  await control.command(port, ["ACL", "SETUSER", "poor", "on", "nopass", "~*", "&*", "+@all", "-zadd"]);
  const poor = await connect(`redis://poor:any@127.0.0.1:${port}`);
  await assert.rejects(new LockManager(poor).request("k", { mode: "shared" }, neverCalled), { name: "NotObtainedError", code: "refused" });
  await poor.close();
});

test("a lock of another library is not available", async () => {
  await control.command(port, ["SET", "locks:plain", "anything", "PX", "3600000"]);
  for (const mode of ["exclusive", "shared"]) {
    assert.equal(await locks.request("plain", { mode, ifAvailable: true }, (lock) => lock), null);
  }
  await control.command(port, ["DEL", "locks:plain"]);
});

test("prefix and ttl are those of the manager, and each manager has an id", async () => {
  const own = new LockManager(here, { prefix: "mine/", ttl: 60_000 });
  await own.request("k", async () => {
    const left = await control.command(port, ["PTTL", "mine/k"]);
    assert.ok(left > 0 && left <= 60_000);
    const [[mine], [theirs]] = [(await own.query()).held, await locks.request("j", async () => (await locks.query()).held)];
    assert.notEqual(mine.clientId, theirs.clientId);
  });
});
