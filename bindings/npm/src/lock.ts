import { again, type Cell, type Released } from "./cell.js";
import type { Driver } from "./driver.js";
import type { Question } from "./inspections.js";
import type { Found } from "./machine.js";
import { amount, type Bytes } from "./check.js";
import { LockLostError, refusal, retraced } from "./errors.js";
import { Drawn } from "./options.js";
import { utf8 } from "./pack.js";

/**
 * A lock that was obtained. Release it, with `await using`, `locker.using` or {@link Lock.release}: one that is only
 * forgotten is kept alive until its `Locker` is closed or its `maxHold` is over.
 */
export class Lock implements AsyncDisposable {
  readonly #driver: Driver;
  readonly #cell: Cell;
  /** The bytes after the token on the servers. */
  readonly metadata: Bytes;

  /** @internal */
  constructor(driver: Driver, cell: Cell, metadata: Bytes) {
    this.#driver = driver;
    this.#cell = cell;
    this.metadata = metadata;
  }

  /** The key, or the first of several. */
  get key(): Bytes {
    return this.#cell.keys[0] as Bytes;
  }

  /** The keys, in the order given. */
  get keys(): readonly Bytes[] {
    return this.#cell.keys;
  }

  /** The owner's token. A secret: it is all that a release needs. */
  get token(): string {
    const { token } = this.#cell;
    return token instanceof Uint8Array ? new TextDecoder().decode(token) : token.toString();
  }

  /**
   * The number of this grant, if it was requested with `fence: true`. Send it with each write, to a resource that refuses
   * numbers below the largest it has seen.
   */
  get fence(): number | undefined {
    return this.#cell.fence || undefined;
  }

  /**
   * Aborted when the lock is lost, with a {@link LockLostError} as its reason; not aborted by {@link Lock.release}. Pass
   * it to what must not go on without the lock.
   */
  get signal(): AbortSignal {
    return this.#cell.signal;
  }

  /**
   * How long the lock is certainly still ours if no refresh gets through, in milliseconds. Zero once it is not held.
   *
   * The clock is read at this moment. On Cloudflare Workers it stands still until something is awaited from outside: use
   * {@link Lock.verify} there.
   */
  remaining(): number {
    return this.#driver.remaining(this.#cell);
  }

  /** Whether the lock is certainly still ours at this moment; see {@link Lock.remaining}. */
  isHeld(): boolean {
    return this.remaining() > 0;
  }

  /** Throws a {@link LockLostError} unless the lock is certainly still ours at this moment; see {@link Lock.remaining}. */
  assertHeld(): void {
    if (!this.isHeld()) {
      throw this.#cell.error();
    }
  }

  /**
   * The same, but asks the servers: reliable even on runtimes whose clock stands still without I/O. Rejected with a
   * {@link LockLostError} if the lock is not held, with an `InspectError` if too few servers replied.
   */
  async verify(): Promise<void> {
    const left = await this.remainingOnServers();
    this.assertHeld();
    if (left === null) {
      throw new LockLostError(this.keys, "taken");
    }
  }

  /**
   * Asks the servers how long they will keep the lock without a refresh, in milliseconds: the least of its keys. `Infinity`
   * if the keys have no ttl, `null` if it is no longer held there.
   */
  async remainingOnServers(): Promise<number | null> {
    const found = await inspected(this.#driver, this.#cell.keys, HOLDINGS);
    const ours = this.#value();
    let least = Infinity;
    for (const { remaining, value } of found) {
      if (Number.isNaN(remaining) || value.length !== ours.length || !value.every((byte, i) => byte === ours[i])) {
        return null;
      }
      least = remaining < 0 ? least : Math.min(least, remaining);
    }
    return least;
  }

  /**
   * Extends the lease to a whole ttl from now. Returns how long it lasts, in milliseconds. With `ttl`, in milliseconds,
   * that is the ttl from now on. Servers that do not reply are asked until the lease ends.
   *
   * Rejected with a {@link LockLostError} if the lock is no longer held.
   */
  async refresh(ttl?: number): Promise<number> {
    if (ttl !== undefined) {
      amount(ttl, "ttl");
    }
    try {
      const behind = this.#driver.behind();
      // At once, if there is nothing to wait for: a shorter ttl counts from now on.
      if (behind) {
        await behind;
      }
      const cell = this.#cell;
      await this.#driver.request(cell, cell.refreshing, (engine, now) => engine.refresh(cell.id, ttl ?? -1, now), refusal);
    } catch (error) {
      throw retraced(error);
    }
    return this.remaining();
  }

  /**
   * Stops keeping the lock alive, as if it had been obtained with `renew: false`: it ends with its ttl, unless
   * {@link Lock.refresh} makes it last. For work that is nearly over, or that has to be seen to go on.
   */
  stopRenewing(): void {
    this.#driver.stopRenewing(this.#cell);
  }

  /**
   * Releases the lock. Never rejected, and it may be called again. Returns what it found:
   *
   * - `confirmed`: every key was still ours on enough servers, and is free now;
   * - `missing`: the servers replied that the lock was no longer ours;
   * - `expired`: the lease had ended before the release, by its `ttl` or by `maxHold`, even if nothing had reported that
   *   yet. What ran until now may have run without the lock;
   * - `shared`: another lock of this `Locker` has the same `token` and still holds the keys;
   * - `unconfirmed`: too few servers confirmed it. The keys are free at the latest when their ttl is over.
   *
   * It takes at most three request timeouts (`requestTimeout`: 3 s by default). If the servers have not confirmed the
   * release by then, it is `unconfirmed`, and releasing goes on in the background until they do or the ttl is over.
   */
  release(): Promise<Released> {
    if (this.#cell.released === undefined) {
      this.#cell.release();
      if (!this.isHeld()) {
        // Nobody has said so yet: the program may have stood still.
        this.#cell.lost ??= "expired";
      }
      this.#driver.release(this.#cell);
      this.#cell.lost ??= "released";
    }
    return this.#cell.released as Promise<Released>;
  }

  /** @internal Releases it, unless its user has done so, and throws if it was lost before. */
  async end(): Promise<void> {
    const proof = await this.release();
    const cell = this.#cell;
    if (proof === "missing") {
      cell.lost = "taken";
    }
    if (cell.lost !== "released") {
      throw cell.error();
    }
  }

  /** Releases it: for `await using`. */
  declare [Symbol.asyncDispose]: () => Promise<void>;

  /** For logs: without the token. */
  toJSON(): { keys: readonly Bytes[]; remaining: number } {
    return { keys: this.keys, remaining: this.remaining() };
  }

  /** The value on the servers. */
  #value(): Uint8Array {
    const { token } = this.#cell;
    return new Uint8Array([...utf8(token instanceof Drawn ? this.token : token), ...utf8(this.metadata)]);
  }
}

/** @internal Who holds some keys. */
export const HOLDINGS: Question<Found> = {
  ask: (engine, len, now) => engine.inspect(len, now),
  read: (machine) => machine.found(),
};

/** @internal What the servers say of some keys. */
export async function inspected<T>(driver: Driver, keys: readonly Bytes[], question: Question<T>): Promise<T> {
  try {
    await driver.behind();
    return await again((isFirst) => driver.inspect(keys, isFirst, question));
  } catch (error) {
    throw retraced(error);
  }
}
