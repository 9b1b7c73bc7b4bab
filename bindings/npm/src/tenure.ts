import type { Driver } from "./driver.js";
import { NotObtainedError } from "./errors.js";
import { Lock } from "./lock.js";
import type { Bytes, ObtainOptions } from "./options.js";

/** What a key holds. */
export interface Holding {
  /** Token and metadata as text. A secret. */
  readonly value: string;
  /** The same as bytes. */
  readonly bytes: Uint8Array;
  /** How long it lasts without a refresh, in milliseconds; `Infinity` without an end. */
  readonly remaining: number;
}

/** One key, or several of which all are locked or none. */
export type Keys = Bytes | readonly Bytes[];

/** Obtains locks from the servers that it is connected to. Close it, or it keeps the process alive. */
export class Tenure implements AsyncDisposable {
  readonly #driver: Driver;

  /** @internal */
  constructor(driver: Driver) {
    this.#driver = driver;
  }

  /**
   * Obtains a lock on one key or on several, all or none. Without `wait` it is tried once.
   *
   * Rejected with a {@link NotObtainedError}, with the reason of `signal`, with an `ArgumentError`, or with a
   * `ClosedError`; and then nothing of it is left on a server.
   */
  obtain(keys: Keys, options: ObtainOptions = {}): Promise<Lock> {
    const { signal, metadata = "" } = options;
    if (signal?.aborted) {
      return Promise.reject(signal.reason);
    }
    return new Promise((resolve, reject) => {
      const driver = this.#driver;
      const cell = driver.obtain(listed(keys), options);
      const lock = new Lock(driver, cell, metadata);
      if (signal === undefined) {
        cell.obtaining = { resolve: () => resolve(lock), reject };
        return;
      }
      const settled = () => signal.removeEventListener("abort", cancel);
      const cancel = () => {
        cell.obtaining = undefined;
        driver.release(cell);
        reject(signal.reason);
      };
      cell.obtaining = {
        resolve: () => (settled(), resolve(lock)),
        reject: (error) => (settled(), reject(error)),
      };
      signal.addEventListener("abort", cancel, { once: true });
    });
  }

  /** The same, but `null` if it is held, by whomever, or still is when the `wait` is over. */
  async tryObtain(keys: Keys, options?: ObtainOptions): Promise<Lock | null> {
    try {
      return await this.obtain(keys, options);
    } catch (error) {
      if (error instanceof NotObtainedError && (error.code === "taken" || error.code === "timed_out")) {
        return null;
      }
      throw error;
    }
  }

  /**
   * Obtains a lock, does the work, and releases the lock, however the work ends. Pass `lock.signal` on: it is aborted
   * when the lock is lost.
   *
   * Rejected with a `LockLostError` if the lock was lost before the work had ended, also if only the release finds that;
   * with the error of the work, if it fails; and as {@link Tenure.obtain} is. It waits for the release, which takes at
   * most three request timeouts and goes on in the background then: see {@link Lock.release}.
   */
  using<T>(keys: Keys, work: (lock: Lock) => T | PromiseLike<T>): Promise<T>;
  using<T>(keys: Keys, options: ObtainOptions, work: (lock: Lock) => T | PromiseLike<T>): Promise<T>;
  async using<T>(
    keys: Keys,
    options: ObtainOptions | ((lock: Lock) => T | PromiseLike<T>),
    work?: (lock: Lock) => T | PromiseLike<T>,
  ): Promise<T> {
    const [how, what] = typeof options === "function" ? [{}, options] : [options, work as NonNullable<typeof work>];
    const lock = await this.obtain(keys, how);
    let result: T;
    try {
      result = await what(lock);
    } catch (error) {
      await lock.release();
      throw error;
    }
    await lock.end();
    return result;
  }

  /**
   * Looks who holds a key, without changing anything; `null` if it is free. With several keys: the first that is held.
   *
   * Rejected with an `InspectError` if too few servers answered.
   */
  async inspect(keys: Keys): Promise<Holding | null> {
    const found = await this.#driver.inspect(listed(keys));
    const first = found.find(({ remaining }) => !Number.isNaN(remaining));
    if (first === undefined) {
      return null;
    }
    const { remaining, value: bytes } = first;
    return { value: new TextDecoder().decode(bytes), bytes, remaining: remaining < 0 ? Infinity : remaining };
  }

  /**
   * Releases what is held, withdraws what is asked for, and ends. Servers that do not answer make it last for one
   * request timeout. Locks that are still in use are lost by it.
   */
  close(): Promise<void> {
    return this.#driver.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function listed(keys: Keys): readonly Bytes[] {
  return typeof keys === "string" || keys instanceof Uint8Array ? [keys] : [...keys];
}
