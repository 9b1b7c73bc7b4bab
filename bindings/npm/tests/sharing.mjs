// Scenarios of the entries `tenure/modes` and `tenure/locks`: two clients and a server that does nothing by itself.
import { check, equal, rejected } from "./world.mjs";

const HOUR = 3_600_000;

/** Two clients with modes of one server, and its port. */
async function two(world) {
  const { connect } = world.tenure.modes;
  const port = await world.server();
  return [await world.client("a", port, {}, connect), await world.client("b", port, {}, connect), port];
}

/** Until somebody waits in the queue of those who want a key alone. */
async function queued(world, port, key) {
  while ((await world.command(port, "ZCARD", `{${key}}~exclusive`)) === 0);
}

export const sharing = {
  async "readers and a writer"(world) {
    const [a, b, port] = await two(world);
    const [one, other] = [await a.read("k", { ttl: HOUR }), await b.read("k", { ttl: HOUR })];
    const error = await rejected(a.write("k"));
    equal([error.code, error.by], ["taken", "sharing"], "the reason");
    equal(await other.release(), "confirmed", "the release of a reader");
    const writing = b.write("k", { ttl: HOUR, wait: HOUR });
    await queued(world, port, "k");
    equal((await rejected(a.read("k"))).by, "queue", "a reader behind a writer that waits");
    await one.verify();
    const inner = one.again();
    equal([await one.release(), await inner.release()], ["shared", "confirmed"], "the releases");
    const writer = await writing;
    equal((await rejected(a.obtain("k", { mode: "read" }))).by, "other", "a reader behind a writer");
    await writer.downgrade();
    const last = await a.read("k", { ttl: HOUR, metadata: "last" });
    const failed = await rejected(writer.tryUpgrade());
    equal([failed.name, failed.code, failed.by, writer.isShared()], ["ModeError", "taken", "sharing", true], "an upgrade beside a reader");
    const status = await a.status("k");
    equal([status.isShared, status.more, status.waiting], [true, 0, 0], "the status");
    equal(status.holders.map(({ metadata }) => metadata).sort(), ["", "last"], "the holders");
    equal(await last.release(), "confirmed", "the release of the last reader");
    await writer.tryUpgrade();
    equal([writer.isShared(), writer.mode], [false, "write"], "the mode");
    equal(await writer.release(), "confirmed", "the release");
    equal(await world.command(port, "EXISTS", "k", "{k}~in"), 0, "the keys");
  },

  async permits(world) {
    const [a, b] = await two(world);
    const one = await a.permit("k", 2, { ttl: HOUR });
    await b.using("k", { mode: { permits: 2 }, ttl: HOUR }, async (lock) => {
      check(lock.isHeld() && one.isHeld(), "both are held");
      equal(await a.tryObtain("k", { mode: { permits: 2 } }), null, "a third one");
    });
    const next = await a.permit("k", 2);
    equal([await one.release(), await next.release()], ["confirmed", "confirmed"], "the releases");
  },

  async "requests as those of navigator.locks"(world) {
    const { LockManager } = world.tenure.locks;
    const [a, b, port] = await two(world);
    const [one, other] = [new LockManager(a, { ttl: HOUR }), new LockManager(b, { ttl: HOUR })];
    const order = [];
    let waiting;
    await one.request("k", { mode: "shared" }, async (lock) => {
      equal([lock.name, lock.mode], ["k", "shared"], "the lock");
      equal(await other.request("k", { ifAvailable: true }, (none) => none), null, "while it is shared");
      waiting = other.request("k", () => order.push("writer"));
      await queued(world, port, "locks:k");
      equal((await other.query()).pending.map(({ name, mode }) => [name, mode]), [["k", "exclusive"]], "what waits");
      order.push("reader");
    });
    await waiting;
    equal(order, ["reader", "writer"], "the order");
    const lost = rejected(one.request("k", () => new Promise(() => {})));
    while ((await one.query()).held.length === 0);
    await world.command(port, "DEL", "locks:k");
    equal((await lost).name, "AbortError", "a loss");
  },
};
