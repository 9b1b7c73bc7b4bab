// What an application in TypeScript may write: it must compile, without the types of Node and in both kinds of modules.
import { connect, LockLostError, NotObtainedError, type Lock, type ObtainOptions, type TenureEvent } from "tenure";
import { upstash } from "tenure/clients";
const streams = () => ({ readable: new ReadableStream<Uint8Array>(), writable: new WritableStream<Uint8Array>() });
const options: ObtainOptions = { ttl: 30_000, wait: 10_000, retry: { every: 5, jitter: { full: 50 }, limit: 3 } };
async function consumer(signal: AbortSignal): Promise<string> {
  await using tenure = await connect(["redis://a", "redis://b", { connect: streams }, upstash({ url: "https://c", token: "t" })], {
    onEvent: (event: TenureEvent) => event.type === "node_down" && console.log(event.reason),
  });
  await using lock: Lock = await tenure.obtain("nightly", { ...options, signal });
  const n: number = await tenure.using(["a", "b"], { ttl: 1 }, async (l) => l.remaining());
  try {
    lock.assertHeld();
  } catch (error) {
    if (error instanceof LockLostError && error.code === "max_hold") {
      return lock.token;
    }
    return String(error instanceof NotObtainedError && error.remaining);
  }
  // @ts-expect-error not a number
  await tenure.obtain("k", { ttl: "30s" });
  return `${n} ${await lock.release() satisfies "confirmed" | "missing" | "unconfirmed" | "shared" | "expired"}`;
}
void consumer;
