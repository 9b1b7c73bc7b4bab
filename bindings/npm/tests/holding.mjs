// Scenarios: two clients and a server that does nothing by itself.
import { aborted, check, equal, rejected } from "./world.mjs";

const HOUR = 3_600_000;
const MINUTE = 60_000;

/** Two clients of one server, and its port. */
async function two(world) {
  const port = await world.server();
  return [await world.client("a", port), await world.client("b", port), port];
}

export const holding = {
  async "several keys"(world) {
    const [a, b, port] = await two(world);
    const both = await a.obtain(["a", "b"], { ttl: HOUR });
    equal(await b.tryObtain("b"), null, "one of them");
    equal(await b.tryObtain(["b", "c"]), null, "one of them and another one");
    equal(await world.command(port, "EXISTS", "c"), 0, "all or none");
    await both.refresh();
    equal(await both.release(), "confirmed", "the release");
    const others = await b.obtain(["b", "c"]);
    equal(await others.release(), "confirmed", "the other release");
    equal(await world.command(port, "EXISTS", "a", "b", "c"), 0, "the keys");
  },

  async "a wait that ends"(world) {
    const [a, b] = await two(world);
    const lock = await a.obtain("k", { ttl: HOUR });
    const error = await rejected(b.obtain("k", { wait: 50 }));
    equal([error.code, error.ours], ["timed_out", false], "the reason");
    equal(await lock.release(), "confirmed", "the release");
  },

  async "automatic renewal"(world) {
    const [a, , port] = await two(world);
    const lock = await a.obtain("k", { ttl: 3_000 });
    while (!world.traces.a.includes("refreshed")) {
      check(lock.isHeld(), "it is renewed in time");
      await world.command(port, "PING");
    }
    await lock.release();
    world.leaveOutRepeats();
  },

  async "manual renewal"(world) {
    const port = await world.server();
    // Without tracking the clock alone can say that a lease is over.
    const [a, b] = [await world.client("a", port, { tracking: false }), await world.client("b", port)];
    const lock = await a.obtain("k", { ttl: MINUTE, renew: false });
    check((await lock.refresh()) > 0.9 * MINUTE, "a whole ttl from now");
    await lock.verify();
    // On a machine that is slow enough, the lease is over before the answer is there.
    await lock.refresh(100).catch((error) => equal(error.code, "expired", "too slow"));
    equal((await aborted(lock.signal)).code, "expired", "nobody else renews it");
    for (const late of [() => lock.refresh(), () => lock.refresh(MINUTE), () => lock.verify()]) {
      equal((await rejected(late())).code, "expired", "after the end");
    }
    equal([lock.remaining(), await lock.release()], [0, "expired"], "the end");
    equal(await (await b.obtain("k", { wait: MINUTE })).release(), "confirmed", "the next one");
    delete world.traces.a;
    delete world.traces.b;
  },

  async "refresh with another ttl"(world) {
    const [a, , port] = await two(world);
    const lock = await a.obtain("k", { ttl: 10 * MINUTE, renew: false });
    for (const ttl of [HOUR, 5 * MINUTE]) {
      for (const left of [await lock.refresh(ttl), await lock.refresh(), await lock.remainingOnServers(), await world.command(port, "PTTL", "k")]) {
        check(left > 0.5 * ttl && left <= ttl, `${left} of ${ttl}`);
      }
    }
    equal((await rejected(lock.refresh(1))).code, "ttl_too_short", "one that cannot be");
    check(lock.remaining() > 2 * MINUTE, "nothing has changed");
    equal(await lock.release(), "confirmed", "the release");
  },

  async "the longest hold"(world) {
    const [a, b] = await two(world);
    const lock = await a.obtain("k", { ttl: 3_000, maxHold: 100 }).catch((error) => error);
    if (lock instanceof Error) {
      // On a machine that is slow enough.
      equal(lock.code, "too_late", "not obtained");
    } else {
      equal((await aborted(lock.signal)).code, "max_hold", "the loss");
      equal(await lock.release(), "expired", "the release");
    }
    equal(await (await b.obtain("k", { wait: MINUTE })).release(), "confirmed", "the next one");
    delete world.traces.a;
  },

  async "two locks with the same token"(world) {
    const [a, b] = await two(world);
    const mine = { ttl: HOUR, token: "mine" };
    const [first, second] = [await a.obtain("k", mine), await a.obtain("k", mine)];
    equal(await first.release(), "shared", "the first");
    equal(await b.tryObtain("k"), null, "it is still held");
    await second.verify();
    equal(await second.release(), "confirmed", "the second");
  },

  async close(world) {
    const [a, b] = await two(world);
    const lock = await a.obtain("k", { ttl: HOUR });
    await a.close();
    equal((await aborted(lock.signal)).code, "closed", "its lock");
    equal((await rejected(a.obtain("k"))).code, "closed", "a request");
    equal(await (await b.obtain("k")).release(), "confirmed", "it is free");
    await b.close();
  },
};
