// What every runtime must pass. It is given the package and the address of the control server (control.mjs), and uses
// nothing that only one runtime has.
//
// A scenario returns the traces of its clients: its events, in order. They must be the same in every runtime.
import { failing } from "./failing.mjs";
import { holding } from "./holding.mjs";
import { sharing } from "./sharing.mjs";
import { World, aborted, check, equal, rejected } from "./world.mjs";

const HOUR = 3_600_000;
const MINUTE = 60_000;

const scenarios = {
  ...holding,
  ...sharing,
  ...failing,

  async "life of a lock"(world) {
    const port = await world.server();
    const [a, b] = [await world.client("a", port), await world.client("b", port)];

    const lock = await a.obtain("nightly", { ttl: HOUR, metadata: "host-7" });

    equal(await world.command(port, "GET", "nightly"), `${lock.token}host-7`, "the value");
    check(/^[\w-]{22}$/.test(lock.token), "a token of 22 characters");
    check(lock.isHeld() && lock.remaining() > 0.9 * HOUR, "the lease");
    equal([lock.key, lock.keys, lock.metadata], ["nightly", ["nightly"], "host-7"], "the handle");
    equal(await b.tryObtain("nightly"), null, "it is taken");
    const refused = await rejected(b.obtain("nightly"));
    check(refused instanceof world.tenure.NotObtainedError && refused.remaining > 0.9 * HOUR, `${refused}`);
    const holding = await b.inspect(["free", "nightly"]);
    equal(holding.value, `${lock.token}host-7`, "the holding");
    check((await lock.remainingOnServers()) > 0.9 * HOUR, "what the server keeps");
    const left = await lock.refresh(2 * HOUR);
    check(left > 1.9 * HOUR, `refreshed for ${left} ms`);
    await lock.verify();
    equal(await lock.release(), "confirmed", "the release");
    equal(await lock.release(), "confirmed", "the release, again");
    equal(await world.command(port, "EXISTS", "nightly"), 0, "the key");
    equal((await rejected((async () => lock.assertHeld())())).code, "released", "after the release");
    check(!lock.signal.aborted, "nothing was lost");
    const both = await b.obtain([new TextEncoder().encode("nightly"), "other"]);
    equal(await world.command(port, "EXISTS", "nightly", "other"), 2, "both keys");
    await both[Symbol.asyncDispose]();
    equal(await a.inspect("nightly"), null, "free");
  },

  async "wait and hand-off"(world) {
    const port = await world.server();
    const [a, b] = [await world.client("a", port), await world.client("b", port)];
    const first = await a.obtain("k", { ttl: HOUR });
    const waiting = b.obtain("k", { ttl: HOUR, wait: 10 * MINUTE });
    // The holder's key and the waiter's are one.
    await world.tracked(port, 1);

    await first.release();

    // Nothing but the wake could bring it within the limit of this run.
    const second = await waiting;
    check(second.isHeld() && !first.isHeld(), "the second holds it");
    await second.release();
  },

  async "a cancelled request"(world) {
    const port = await world.server();
    const [a, b] = [await world.client("a", port), await world.client("b", port)];
    const lock = await a.obtain("k", { ttl: HOUR });
    const cancel = new AbortController();
    const waiting = rejected(b.obtain("k", { wait: Infinity, signal: cancel.signal }));
    const reason = new Error("enough");

    cancel.abort(reason);

    check((await waiting) === reason, "the signal's own reason");
    await world.command(port, "PING");
    equal(world.traces.b.at(-1), "not_obtained cancelled", "it no longer waits");
    const early = rejected(b.obtain("k", { signal: AbortSignal.abort(reason) }));
    check((await early) === reason, "aborted before it began");
    // Requested and cancelled in one turn, when nobody holds it.
    await lock.release();
    const late = new AbortController();
    const never = rejected(b.obtain("k", { ttl: HOUR, signal: late.signal }));
    late.abort(reason);
    check((await never) === reason, "aborted at once");
    await world.command(port, "PING");
    equal(world.traces.b.slice(1).length, 2, "both were cancelled, before closing does it");
    await b.close();
    equal(await world.command(port, "EXISTS", "k"), 0, "no key is left");
  },

  async "loss by DEL"(world) {
    const port = await world.server();
    const a = await world.client("a", port);
    const lock = await a.obtain("k", { ttl: HOUR });
    const lost = aborted(lock.signal);

    await world.command(port, "DEL", "k");

    const reason = await lost;
    check(reason instanceof world.tenure.LockLostError, `${reason}`);
    equal([reason.code, lock.remaining(), lock.isHeld()], ["taken", 0, false], "the loss");
    equal((await rejected(lock.refresh())).code, "taken", "a refresh");
    equal((await rejected(a.using("k", async (held) => {
      await world.command(port, "DEL", "k");
      await aborted(held.signal);
    }))).code, "taken", "work that outlives its lock");
    equal(await a.using("k", () => 42), 42, "work");
    equal(await world.command(port, "EXISTS", "k"), 0, "the key");
  },

  async "loss that only the release finds"(world) {
    const port = await world.server();
    const a = await world.client("a", port, { tracking: false });
    const remove = () => world.command(port, "DEL", "k");
    const options = { ttl: HOUR };

    const lock = await a.obtain("k", options);
    await remove();
    equal(await lock.release(), "missing", "a release");
    const error = await rejected(a.using("k", options, remove));
    check(error instanceof world.tenure.LockLostError, `${error}`);
    equal(error.code, "taken", "work without its lock");
    const early = await rejected(a.using("k", options, async (held) => {
      await remove();
      await held.release();
    }));
    equal(early.code, "taken", "work that releases by itself");
    const own = new Error("its own");
    check((await rejected(a.using("k", options, () => remove().then(() => Promise.reject(own))))) === own, "an error of the work");
    equal(await a.using("k", options, (held) => held.release()), "confirmed", "work that releases in time");
    equal((await rejected(a.using("k", options, () => void a.close()))).code, "closed", "work that closes");
  },

  /**
   * Once more if the answers may not have been there: the server was late, then with a longer stop, or what brings them, which
   * is another thread in some runtimes. Answers that lose against deadlines do so each time.
   */
  async "answers that came while the program stood still"(world) {
    for (let [stop, tries] = [1_500, 1]; ; tries += 1) {
      const wrong = await stoodStill(world, stop);
      if (wrong === undefined) {
        return;
      }
      if (tries === 4) {
        throw wrong.error;
      }
      stop *= wrong.by < stop / 4 ? 1 : 2;
    }
  },

  async "loss by time"(world) {
    const port = await world.server();
    // Without tracking the clock alone can say that a lease is over.
    const a = await world.client("a", port, { tracking: false });
    const [manual, capped] = await Promise.all([
      a.obtain("k", { ttl: 200, renew: false }),
      a.obtain("j", { ttl: 1_500, maxHold: 2_000 }),
    ]);
    equal((await aborted(manual.signal)).code, "expired", "not renewed");
    equal((await aborted(capped.signal)).code, "max_hold", "renewed, but not endlessly");
    equal(await manual.release(), "expired", "a release after the loss");
    equal(await capped.release(), "expired", "a release after maxHold");
    delete world.traces.a;
  },

  async "server killed and back"(world) {
    const port = await world.server();
    const a = await world.client("a", port, { reconnectMax: 100 });
    const held = await a.obtain("k", { ttl: HOUR });
    const lost = aborted(held.signal);

    await world.kill(port);
    const error = await rejected(a.obtain("j"));
    equal(error.code, "unreachable", "without a server");
    await world.restart(port);

    // The server has forgotten everything.
    equal((await lost).code, "taken", "the old lock");
    const lock = await a.obtain("j", { wait: MINUTE });
    equal(await lock.release(), "confirmed", "with a server again");
    // How often it tried to connect meanwhile depends on the machine.
    world.traces.a = world.traces.a.filter((line) => !line.startsWith("node_down"));
  },

  async "quorum of three"(world) {
    const ports = [await world.server(), await world.server(), await world.server()];
    const [a, b] = [await world.client("a", ports), await world.client("b", ports)];
    await Promise.all([world.complete("a", ports), world.complete("b", ports)]);
    const lock = await a.obtain("k", { ttl: HOUR });
    for (const port of ports) {
      // Two are enough to go on; the third has been asked, too.
      while ((await world.command(port, "GET", "k")) !== lock.token);
    }
    await world.kill(ports[0]);
    equal(await b.tryObtain("k"), null, "two still say that it is taken");
    equal(await lock.release(), "confirmed", "two of three are enough");
    const other = await b.obtain("k", { ttl: HOUR, wait: MINUTE });
    await other.release();
    await world.kill(ports[1]);
    equal((await rejected(b.obtain("k"))).code, "unreachable", "one of three is not");
    const refused = await rejected(world.client("c", ports));
    equal([refused.code, refused.failures.size], ["not_connected", 2], "a connect");
    world.leaveOutNodes();
    delete world.traces.c;
  },

  async "1000 waiters on one key"(world) {
    const port = await world.server();
    const a = await world.client("a", port);
    let [inside, done] = [0, 0];

    await Promise.all(
      Array.from({ length: 1_000 }, () =>
        a.using("k", { wait: 10 * MINUTE }, async () => {
          inside += 1;
          equal(inside, 1, "how many are inside");
          await Promise.resolve();
          inside -= 1;
          done += 1;
        }),
      ),
    );

    equal(done, 1_000, "how many had their turn");
    equal(await world.command(port, "EXISTS", "k"), 0, "the key");
    world.leaveOutRepeats();
    equal(world.traces.a, ["node_ready tracking", "obtained", "released confirmed"], "the trace");
  },

  /** They grow, and a guard refuses the older one. */
  async fences(world) {
    const port = await world.server();
    const [a, b] = [await world.client("a", port), await world.client("b", port)];
    const plain = await a.obtain("k", { ttl: HOUR });
    equal([plain.fence, await plain.release()], [undefined, "confirmed"], "a lock without a fence");
    const fences = [0];
    for (const [client, keys] of [[a, "k"], [b, "k"], [a, ["k", "j"]], [b, "j"], [a, "k"]]) {
      const lock = await client.obtain(keys, { ttl: HOUR, fence: true });
      check(Number.isSafeInteger(lock.fence) && lock.fence > fences.at(-1), `${lock.fence} after ${fences.at(-1)}`);
      fences.push(lock.fence);
      await lock.refresh();
      equal(lock.fence, fences.at(-1), "it stays while the lock is held");
      equal(await world.command(port, "GET", `{${lock.key}}~fence`), `${lock.fence}`, "the counter");
      equal(await lock.release(), "confirmed", "the release");
      // The counters are lost: the next number is still larger.
      await world.command(port, "FLUSHALL");
    }

    const write = (fence, value) => world.command(port, "EVAL", world.tenure.GUARDED_SET, "2", "data", "{data}guard", `${fence}`, value);
    const [older, newer] = fences.slice(-2);
    equal([await write(newer, "new"), await write(older, "old"), await write(newer, "newer")], [1, 0, 1], "writes");
    equal(await world.command(port, "GET", "data"), "newer", "what is there");
  },

  /** The format of Upstash: the server itself is not there for it, and cannot send notifications. */
  async "over HTTP"(world) {
    const port = await world.server();
    const { url, token } = await world.rest(port);
    const servers = world.tenure.upstash({ url, token });
    const [a, b] = [await world.client("a", servers), await world.client("b", servers)];
    const lock = await a.obtain("k", { ttl: HOUR, metadata: "host-7" });
    equal(await world.command(port, "GET", "k"), `${lock.token}host-7`, "the value");
    equal(await b.tryObtain("k"), null, "it is taken");
    equal((await b.inspect("k")).value, `${lock.token}host-7`, "the holding");
    await lock.refresh();
    await lock.verify();
    const waiting = b.obtain("k", { ttl: HOUR, wait: MINUTE, retry: { every: 5 } });
    const cancel = new AbortController();
    const never = rejected(a.obtain("j", { ttl: HOUR, signal: cancel.signal }));
    cancel.abort(new Error("enough"));
    equal((await never).message, "enough", "cancelled at once");
    equal(await lock.release(), "confirmed", "the release");
    const second = await waiting;
    await world.command(port, "DEL", "k");
    equal((await rejected(second.verify())).code, "taken", "deleted");
    const both = await b.obtain(["k", "j"]);
    equal(await both.release(), "confirmed", "both");
    equal(await world.command(port, "DBSIZE"), 0, "no key is left");
  },

  async "what cannot be used"(world) {
    const port = await world.server();
    const a = await world.client("a", port);
    const { connect } = world.tenure;
    // Clients have the errors of the main entry.
    const kinds = [world.tenure.ArgumentError, world.tenure.plain.ArgumentError];
    const code = async (promise) => {
      const error = await rejected(promise);
      check(kinds.some((kind) => error instanceof kind), `${error}`);
      return error.code;
    };
    equal(await code(a.obtain("")), "empty_key", "key");
    equal(await code(a.obtain([])), "no_key", "keys");
    equal(await code(a.obtain(["k", "k"])), "duplicate_key", "keys");
    equal(await code(a.obtain("k".repeat(1_025))), "key_too_long", "key");
    equal(await code(a.obtain("k", { ttl: 2 })), "ttl_too_short", "ttl");
    equal(await code(a.obtain("k", { ttl: "1" })), "bad_option", "ttl");
    equal(await code(a.obtain("k", { wait: NaN })), "bad_option", "wait");
    equal(await code(a.obtain("k", { metadata: "x".repeat(4_097) })), "metadata_too_long", "metadata");
    equal(await code(connect("localhost")), "bad_url", "url");
    equal(await code(connect(undefined)), "bad_url", "a variable that is not set");
    equal(await code(connect([{}])), "bad_url", "neither URL nor transport");
    equal(await code((async () => world.tenure.upstash({ url: "localhost" }))()), "bad_url", "an endpoint");
    equal(await code(a.obtain("k", { wait: 1, retry: { every: NaN } })), "bad_option", "a pause");
    equal(await code(a.obtain("k", { wait: 1, retry: { min: 1, max: -1 } })), "bad_option", "a pause");
    equal(await code(a.obtain("k", { wait: 1, retry: { pauses: [1, "1"] } })), "bad_option", "a pause");
    equal(await code(connect([])), "no_server", "urls");
    equal(await code(connect([world.url(port), world.url(port + 1)])), "too_few_for_quorum", "urls");
    for (const arrangement of ["quorum", "ordered"]) {
      const twice = [world.url(port), world.url(port + 1), world.url(port)];
      equal(await code(connect(twice, { arrangement })), "same_server", arrangement);
    }
    const secret = await rejected(connect("redis://me:hunter2@h/x/y"));
    check(!secret.message.includes("hunter2"), "no secret in an error");
    const lock = await a.obtain("k");
    equal(await code(lock.refresh(1)), "ttl_too_short", "a refresh");
    await a.close();
    equal((await rejected(a.obtain("k"))).code, "closed", "closed");
    equal(await world.command(port, "EXISTS", "k"), 0, "closing releases");
    equal([lock.signal.aborted, lock.signal.reason.code], [true, "closed"], "closing takes locks away");
    delete world.traces.a;
  },

  /** A module that traps on demand, in place of a bug of the engine. */
  async "a trap is the end of one engine only"(world) {
    const { Instance } = WebAssembly;
    let trap = false;
    WebAssembly.Instance = function (module, imports) {
      const instance = new Instance(module, imports);
      const obtain = (...values) => {
        if (trap) {
          throw new WebAssembly.RuntimeError("unreachable");
        }
        return instance.exports.obtain(...values);
      };
      return { exports: { ...instance.exports, obtain } };
    };
    const port = await world.server();
    const a = await world.client("a", port).finally(() => (WebAssembly.Instance = Instance));
    const b = await world.client("b", port);
    const lock = await a.obtain("k");

    trap = true;

    const error = await rejected(a.obtain("j"));
    equal([error.code, error.cause.name], ["engine_failed", "RuntimeError"], "the trap");
    equal((await aborted(lock.signal)).code, "engine_failed", "its locks are lost");
    equal((await rejected(a.obtain("j"))).code, "engine_failed", "it is unusable");
    equal(await lock.release(), "unconfirmed", "and cannot release");
    await (await b.obtain("j")).release();
  },
};

/** Stands still for longer than requests may take: nothing, or what went wrong and how late the server was, in milliseconds. */
async function stoodStill(world, stop) {
  const port = await world.server();
  const a = await world.client("a", port, { requestTimeout: 1_000, prepare: true });
  const [held, kept] = [await a.obtain("k", { ttl: HOUR }), await a.obtain("r", { ttl: HOUR })];
  const began = Date.now();
  const asked = [a.obtain("j", { ttl: HOUR }), a.inspect("k"), held.verify(), held.refresh(), kept.release()];
  // What is wanted in one turn goes out at its end.
  for (let turn = 0; turn < 9; turn += 1) {
    await Promise.resolve();
  }
  // A Worker's clock stands still meanwhile, so that it counts.
  for (let spins = 0; spins < stop * 7e4 && Date.now() < began + stop; spins += 1);
  // And a request that is made then.
  asked.push(a.obtain("i", { ttl: HOUR }));
  try {
    const [j, holding, , left, proof, i] = await Promise.all(asked);
    check(j.isHeld() && i.isHeld() && left > 0.9 * HOUR, "they were all granted");
    equal([holding.value, proof], [held.token, "confirmed"], "the answers");
    equal(world.traces.a.filter((line) => line.startsWith("node_")), ["node_ready tracking"], "the connection");
    delete world.traces.a;
    return undefined;
  } catch (error) {
    // How long it has had the key, by its own clock; nothing if it has none.
    const left = await world.command(port, "PTTL", "j");
    return { error, by: left < 0 ? Infinity : Date.now() - began - (HOUR - left) };
  }
}

/** Runs all scenarios, and reports what failed and the events of the clients. */
export async function run(tenure, { control, url }) {
  const [failures, traces] = [{}, {}];
  for (const [name, scenario] of Object.entries(scenarios)) {
    const world = new World(tenure, control, url);
    try {
      await scenario(world);
      await world.end();
      traces[name] = world.traces;
    } catch (error) {
      failures[name] = String(error?.stack ?? error);
      await world.end().catch(() => {});
    }
  }
  return { failures, traces };
}
