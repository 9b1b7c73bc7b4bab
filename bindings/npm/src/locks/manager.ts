import { bytesOf, checkedLocker, checkedOptions, notSupported, wantedOf, type Wanted } from "./arguments.js";
import { Lock, type LockGrantedCallback, type LockInfo, type LockOptions, type Snapshot } from "./lock.js";

type Bytes = string | Uint8Array;

/** A lock of `tenure/modes`. */
interface Held {
  readonly signal: AbortSignal;
  release(): Promise<string>;
}

interface How {
  ttl?: number | undefined;
  wait?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** What a `LockManager` needs of a `Locker` of `tenure/modes`. */
export interface WebLocker {
  read(key: Bytes, options?: How): Promise<Held>;
  write(key: Bytes, options?: How): Promise<Held>;
  inspect(key: Bytes): Promise<unknown>;
}

/** How names become locks on servers. */
export interface LocksOptions {
  /** Set in front of each name: both together are the key on the servers. Default: `locks:`. */
  prefix?: string | undefined;
  /** How long the servers keep the lock of a process that has crashed, in milliseconds. Default: 30 000. */
  ttl?: number | undefined;
}

/**
 * The API of `navigator.locks`, on servers: code that is written for it runs unchanged. An exclusive lock is a write lock, and a
 * shared one is a read lock, so requests wait in the order in which they are made, in whichever process.
 *
 * What differs: `steal` is refused, `query` reports the locks of this object only, and a lock can be lost. Then `request` is
 * rejected with an `AbortError`, as it is in a browser when the lock is stolen, while the callback goes on. Its `cause` says
 * why the lock was lost.
 */
export class LockManager {
  readonly #locker: WebLocker;
  readonly #prefix: string;
  readonly #ttl: number | undefined;
  readonly #clientId: string = drawn();
  readonly #held = new Set<LockInfo>();
  readonly #pending = new Map<LockInfo, Bytes>();

  /** Throws a `TypeError` if the locker is not one of `tenure/modes`, for an option that does not exist, or a value of a wrong kind. */
  constructor(locker: WebLocker, options: LocksOptions = {}) {
    const { prefix = "locks:", ttl } = checkedOptions(options);
    this.#locker = checkedLocker(locker);
    this.#prefix = prefix;
    this.#ttl = ttl;
  }

  /**
   * Requests a lock, calls back once it is granted, and releases it when the promise that the callback returns is settled. Gives
   * what that promise gives.
   *
   * Rejected as in a browser: with a `TypeError`, a `NotSupportedError`, the reason of the signal, or the error of the callback.
   * Also with an `AbortError` if the lock was lost, with an `InvalidStateError` if the `Locker` is closed, and with the error of
   * the `Locker` if servers refuse, or if they cannot be reached with `ifAvailable`.
   */
  request<T>(name: string, callback: LockGrantedCallback<T>): Promise<T>;
  request<T>(name: string, options: LockOptions, callback: LockGrantedCallback<T>): Promise<T>;
  async request<T>(...given: unknown[]): Promise<T> {
    const wanted = wantedOf<T>(given);
    const { name, mode, signal, callback } = wanted;
    if (signal?.aborted) {
      throw signal.reason;
    }
    const info: LockInfo = { name, mode, clientId: this.#clientId };
    const held = await this.#obtain(wanted, info);
    if (held === null) {
      return callback(null);
    }
    if (signal?.aborted) {
      // Between the grant and the callback.
      await held.release();
      throw signal.reason;
    }
    this.#held.add(info);
    const lock = new Lock(name, mode, () => held.signal);
    try {
      return await this.#whileHeld(held, async () => callback(lock));
    } finally {
      this.#held.delete(info);
    }
  }

  /**
   * Returns the locks of this object. In a browser it is those of all clients of the origin; the keys of others are on the
   * servers, and can be looked up one by one with `locker.inspect`.
   */
  async query(): Promise<Snapshot> {
    // What was requested before this call is granted or waits by then: replies come in order. A grant is passed on before the
    // second reply.
    for (let round = 0; round < 2 && this.#pending.size > 0; round += 1) {
      await Promise.allSettled([...this.#pending.values()].map((key) => this.#locker.inspect(key)));
    }
    const shown = (infos: Iterable<LockInfo>) => [...infos].map((info) => ({ ...info }));
    return { held: shown(this.#held), pending: shown(this.#pending.keys()) };
  }

  /** The lock, or `null` if it is not available at once, and nothing else was wanted. */
  async #obtain(wanted: Wanted<unknown>, info: LockInfo): Promise<Held | null> {
    const { name, mode, ifAvailable, signal } = wanted;
    const key = keyOf(this.#prefix, name);
    const how: How = { ttl: this.#ttl, wait: ifAvailable ? undefined : Infinity, signal };
    this.#pending.set(info, key);
    try {
      return await (mode === "shared" ? this.#locker.read(key, how) : this.#locker.write(key, how));
    } catch (error) {
      const code = (error as { code?: unknown } | undefined)?.code;
      if (ifAvailable && code === "taken") {
        return null;
      }
      throw signal?.aborted && error === signal.reason ? error : shownAs(error, code);
    } finally {
      this.#pending.delete(info);
    }
  }

  /** What the work gives, if the lock was held until then. */
  async #whileHeld<T>(held: Held, work: () => Promise<T>): Promise<T> {
    const { signal } = held;
    let lost = () => {};
    const loss = new Promise<never>((_, reject) => {
      lost = () => reject(failed("AbortError", "the lock was lost", signal.reason));
      signal.addEventListener("abort", lost);
      if (signal.aborted) {
        lost();
      }
    });
    // The race may be over already.
    loss.catch(() => {});
    let result: T;
    try {
      result = await Promise.race([work(), loss]);
    } catch (error) {
      await held.release();
      throw error;
    } finally {
      signal.removeEventListener("abort", lost);
    }
    const proof = await held.release();
    if (proof === "missing" || proof === "expired") {
      throw failed("AbortError", "the lock was lost", signal.reason);
    }
    return result;
  }
}

/** Not `crypto.randomUUID`, which pages without TLS lack. */
function drawn(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function keyOf(prefix: string, name: string): Bytes {
  return bytesOf(prefix + name);
}

function shownAs(error: unknown, code: unknown): unknown {
  if (code === "closed") {
    return failed("InvalidStateError", "the Locker is closed", error);
  }
  return code === "key_too_long" ? notSupported("the name is too long: a key has at most 1024 bytes") : error;
}

function failed(name: string, message: string, cause: unknown): DOMException {
  return Object.defineProperty(new DOMException(message, name), "cause", { value: cause, configurable: true, writable: true });
}
