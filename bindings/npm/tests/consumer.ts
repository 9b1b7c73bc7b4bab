// What an application in TypeScript may write: it must compile, without the types of Node and in both kinds of modules.
import { connect, Lock, LockLostError, NotObtainedError, Locker, type Login, type ObtainOptions, type TenureEvent, type TlsOptions } from "tenure";
import { lend, upstash } from "tenure/clients";
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
