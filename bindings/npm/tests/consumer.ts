// What an application in TypeScript may write: it must compile, without the types of Node and in both kinds of modules.
import { connect, Lock, LockLostError, NotObtainedError, Locker, type Login, type ObtainOptions, type TenureEvent, type TlsOptions } from "tenure";
import { lend, upstash } from "tenure/clients";
import { LockManager, type Snapshot } from "tenure/locks";
import * as modes from "tenure/modes";
const streams = () => ({ readable: new ReadableStream<Uint8Array>(), writable: new WritableStream<Uint8Array>() });
const options: ObtainOptions = { ttl: 30_000, wait: 10_000, retry: { every: 5, jitter: { full: 50 }, limit: 3 } };
function perhaps<T>(value: T): T | undefined {
  return value;
}
async function optional(locker: Locker): Promise<void> {
  const tls: TlsOptions = { ca: perhaps("PEM"), servername: perhaps("h") };
  const login: Login = { username: perhaps("me"), password: perhaps("p"), database: perhaps(1), resp2: perhaps(true) };
  await connect({ connect: streams, login: perhaps(login), name: perhaps("mine") }, { tls: perhaps(tls), limits: perhaps({ locks: perhaps(1) }), prefix: perhaps("p") });
  await locker.obtain("k", { ttl: perhaps(1), signal: perhaps(new AbortController().signal), retry: perhaps({ every: 1, limit: perhaps(2) }), metadata: perhaps("m") });
  lend({ send: async () => [], name: perhaps("n"), oneAtATime: perhaps(true), textOnly: perhaps(false) });
  // @ts-expect-error made by connect only
  new Locker();
  // @ts-expect-error made by obtain only
  new Lock();
  // @ts-expect-error made by this package only
  new LockLostError();
}
void optional;
async function shared(plain: Locker, lock: Lock): Promise<void> {
  const locker: modes.Locker = await modes.connect("redis://a", { arrangement: perhaps("ordered") });
  const reader: modes.Lock = await locker.read("k", { wait: perhaps(1), ttl: 30_000 });
  const mode: modes.Mode = reader.again().mode;
  await using writer = await locker.write("k");
  const permit = await locker.permit("k", 3, { metadata: "m" });
  await locker.using("k", { mode: { permits: 3 } }, (held: modes.Lock) => held.again().release());
  const all: [modes.Lock | null, modes.Lock] = [await locker.tryObtain("k", { mode }), await locker.obtain(["j", "k"], options)];
  try {
    console.log(writer.fence, permit.keys, all);
  } catch (error) {
    const by: "other" | "ourselves" | "sharing" | "queue" | undefined = error instanceof modes.NotObtainedError ? error.by : undefined;
    console.log(by, error instanceof modes.LockLostError && error.code);
  }
  try {
    await reader.tryUpgrade();
    await reader.downgrade() satisfies void;
  } catch (error) {
    if (error instanceof modes.ModeError) {
      const why: modes.ModeErrorCode = error.code;
      console.log(why satisfies string, error.by satisfies modes.Holder | undefined, error.fault satisfies string | undefined);
      // @ts-expect-error no such reason
      console.log(error.code === "not_held");
    }
  }
  const status: modes.Status = await locker.status(new Uint8Array(1));
  console.log(status.isShared && reader.isShared(), status.holders[0]?.metadata, status.more + status.waiting, status.fence ?? 0, status.held?.remaining);
  const onEvent = (event: modes.TenureEvent) => event.type === "changed" && console.log(event.mode, event.remaining);
  await modes.connect("redis://a", { onEvent: perhaps(onEvent) });
  // @ts-expect-error it is no event of the entry without modes
  const plainEvent: TenureEvent["type"] = "changed";
  console.log(plainEvent);
  // @ts-expect-error the entry without modes has no such method
  await plain.status("k");
  // @ts-expect-error nor such a method
  await lock.tryUpgrade();
  // @ts-expect-error one key
  await locker.status(["j", "k"]);
  // @ts-expect-error the current mode cannot be set
  reader.mode = "write";
  // @ts-expect-error the method says it
  await locker.read("k", { mode: "write" });
  // @ts-expect-error one key
  await locker.read(["j", "k"]);
  // @ts-expect-error no such mode
  await locker.obtain("k", { mode: "shared" });
  // @ts-expect-error the entry without modes has no such method
  await plain.read("k");
  // @ts-expect-error nor such an option
  await plain.obtain("k", { mode: "read" });
  // @ts-expect-error nor several handles
  lock.again();
  // @ts-expect-error classes of two entries are two
  const other: modes.Lock = lock;
  // @ts-expect-error made by connect only
  new modes.Locker();
  const locks = new LockManager(locker, { prefix: perhaps("locks:"), ttl: 30_000 });
  const seven: number = await locks.request("k", async (held) => (held === null ? 0 : held.name.length));
  await locks.request("k", { mode: "shared", ifAvailable: perhaps(true), signal: perhaps(new AbortController().signal) }, () => other);
  const { held, pending }: Snapshot = await locks.query();
  console.log(seven, held[0]?.clientId, pending.length);
  // @ts-expect-error it needs modes
  new LockManager(plain);
  // As much as a program may want of `navigator.locks`.
  const like: { request(name: string, callback: (lock: { name: string } | null) => Promise<void>): Promise<void> } = locks;
  void like;
}
void shared;
async function confirmed(locker: modes.Locker): Promise<void> {
  const disk: modes.Acks = { persisted: 0, within: perhaps(50) };
  await modes.connect("redis://a", { acks: perhaps(disk) });
  await modes.connect("redis://a", { acks: { received: 1 } });
  // @ts-expect-error one of both
  await modes.connect("redis://a", { acks: { received: 1, persisted: 1 } });
  // @ts-expect-error how many
  await modes.connect("redis://a", { acks: { within: 50 } });
  // @ts-expect-error not a number
  await modes.connect("redis://a", { acks: { received: true } });
  // @ts-expect-error no such option
  await modes.connect("redis://a", { acks: { received: 1, replicas: 1 } });
  // @ts-expect-error an object
  await modes.connect("redis://a", { acks: 1 });
  // @ts-expect-error of the connection, not of a lock
  await locker.obtain("k", { acks: { received: 1 } });
  // @ts-expect-error the entry without modes has no such option
  await connect("redis://a", { acks: { received: 1 } });
}
void confirmed;
async function consumer(signal: AbortSignal): Promise<string> {
  await using locker = await connect(["redis://a", "redis://b", { connect: streams }, upstash({ url: "https://c", token: "t" })], {
    onEvent: (event: TenureEvent) => event.type === "node_down" && console.log(event.reason),
  });
  await using lock: Lock = await locker.obtain("nightly", { ...options, signal });
  const n: number = await locker.using(["a", "b"], { ttl: 1 }, async (l) => l.remaining());
  try {
    lock.assertHeld();
  } catch (error) {
    if (error instanceof LockLostError && error.code === "max_hold") {
      return lock.token;
    }
    return String(error instanceof NotObtainedError && error.remaining);
  }
  // @ts-expect-error not a number
  await locker.obtain("k", { ttl: "30s" });
  return `${n} ${await lock.release() satisfies "confirmed" | "missing" | "unconfirmed" | "shared" | "expired"}`;
}
void consumer;
