// Scenarios: keys that others change, servers that end, and answers that are lost.
import { aborted, check, equal, rejected } from "./world.mjs";

const HOUR = 3_600_000;
const MINUTE = 60_000;

/** Several servers, and two clients of all of them. */
async function several(world, count, options) {
  const ports = [];
  while (ports.length < count) {
    ports.push(await world.server());
  }
  const [a, b] = [await world.client("a", ports, options), await world.client("b", ports, options)];
  await Promise.all([world.complete("a", ports), world.complete("b", ports)]);
  return [a, b, ports];
}

/** Enough servers are enough to go on; the others have been asked, too. */
async function isOnEach(world, ports, lock) {
  for (const port of ports) {
    while ((await world.command(port, "GET", lock.key)) !== lock.token);
  }
}

export const failing = {
  async "loss by overwrite"(world) {
    const port = await world.server();
    const a = await world.client("a", port);
    const lock = await a.obtain("k", { ttl: HOUR });
    await world.command(port, "SET", "k", "theirs");
    equal((await aborted(lock.signal)).code, "taken", "the loss");
    equal((await rejected(lock.refresh())).code, "taken", "a refresh");
    equal(await lock.release(), "missing", "a release");
    equal(await a.tryObtain("k"), null, "it is another client's");
    equal(await world.command(port, "GET", "k"), "theirs", "it stays");
    await world.command(port, "DEL", "k");
    equal(await (await a.obtain("k", { ttl: HOUR })).release(), "confirmed", "it is free again");
  },

  /** It never comes back, so only the clock can say when the lock is over. */
  async "loss by death of the server"(world) {
    const port = await world.server();
    const a = await world.client("a", port);
    const lock = await a.obtain("k", { ttl: 3_000 });
    await world.kill(port);
    equal((await aborted(lock.signal)).code, "expired", "the loss");
    equal((await rejected(lock.refresh())).code, "expired", "a refresh");
    equal([lock.isHeld(), await lock.release()], [false, "expired"], "a release");
    equal((await rejected(a.obtain("k"))).code, "unreachable", "there is no server");
    // How often it tried to connect meanwhile depends on the machine.
    world.traces.a = world.traces.a.filter((line) => !line.startsWith("node_down"));
  },

  async "answers that are lost"(world) {
    const port = await world.server();
    const behind = await world.lossy(port);
    const [a, b] = [await world.client("a", behind), await world.client("b", port)];
    // Without a fault, so that the server knows the scripts: otherwise their answer would be that it does not.
    const known = await a.obtain("k", { ttl: HOUR });
    await known.refresh();
    equal(await known.release(), "confirmed", "without a fault");

    await world.lose(behind);
    const lock = await a.obtain("k", { ttl: HOUR, wait: MINUTE });
    equal(await world.command(port, "GET", "k"), lock.token, "the server has granted it");
    equal(await b.tryObtain("k"), null, "it is taken");
    await world.lose(behind);
    check((await lock.refresh()) > 0.9 * HOUR, "the server has extended it");
    await world.lose(behind);
    // Sent again, it finds nothing, which proves nothing.
    equal(await lock.release(), "unconfirmed", "a release");
    equal(await (await b.obtain("k", { ttl: HOUR })).release(), "confirmed", "it was released");

    // A try does not wait for a connection, and three were lost.
    await world.ready("a", 4, port);
    // It is requested once more if the connection breaks, so that is lost, too.
    await world.lose(behind, 2);
    equal((await rejected(a.obtain("k", { ttl: HOUR }))).code, "unreachable", "nobody knows");
    // What that one has left is released before anybody else has a turn.
    equal(await (await b.obtain("k", { ttl: HOUR, wait: MINUTE })).release(), "confirmed", "it was released");
    world.leaveOutNodes();
  },

  /** Two of five may end while a lock is held and while it is waited for. */
  async "quorum of five"(world) {
    const [a, b, ports] = await several(world, 5);
    const lock = await a.obtain("k", { ttl: HOUR });
    await isOnEach(world, ports, lock);
    const waiting = b.obtain("k", { ttl: HOUR, wait: HOUR });
    for (const port of ports) {
      await world.askedAfter(port, 1);
    }
    await Promise.all([world.kill(ports[0]), world.kill(ports[3])]);
    await lock.refresh();
    await lock.verify();
    equal(await lock.release(), "confirmed", "three of five are enough");
    const next = await waiting;
    equal(await a.tryObtain("k"), null, "it is taken");
    await next.refresh();
    equal(await next.release(), "confirmed", "three of five are still enough");
    await world.kill(ports[1]);
    equal((await rejected(b.obtain("k"))).code, "unreachable", "two of five are not");
    world.leaveOutNodes();
    // It is refreshed once more if the end of a server is noticed late.
    world.leaveOutRepeats();
  },

  /** All of them must grant a lock, one after the other. */
  async "three servers in order"(world) {
    const [a, b, ports] = await several(world, 3, { arrangement: "ordered" });
    const lock = await a.obtain(["k", "j"], { ttl: HOUR });
    await isOnEach(world, ports, lock);
    equal(await b.tryObtain("j"), null, "it is taken");
    await lock.refresh();
    const before = await world.requests(ports[0]);
    const waiting = b.obtain("j", { ttl: HOUR, wait: HOUR });
    await world.askedAfter(ports[0], before);
    equal(await lock.release(), "confirmed", "the release");
    equal(await (await waiting).release(), "confirmed", "its turn");
    await world.kill(ports[2]);
    equal((await rejected(a.obtain("k"))).code, "unreachable", "two of three are not enough");
    await a.close();
    for (const port of ports.slice(0, 2)) {
      equal(await world.command(port, "EXISTS", "k", "j"), 0, "what was granted is taken back");
    }
    world.leaveOutNodes();
  },
};
