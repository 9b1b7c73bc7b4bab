import { call, listed, type Bytes } from "./check.js";
import { CUT, type Cell } from "./cell.js";
import type { Driver } from "./driver.js";
import { NotObtainedError, retraced } from "./errors.js";
import type { Fleet } from "./fleet.js";
import { outside } from "./guard.js";
import { HOLDINGS, inspected, Lock } from "./lock.js";
import type { Found } from "./machine.js";
import { Lock as ModeLock } from "./modes/lock.js";
import type { ObtainOptions as ModeOptions } from "./modes/mode.js";
import { obtainOptions, type ObtainOptions } from "./options.js";

/** What a key holds. */
export interface Holding {
  /** Token and metadata as text. A secret. */
  readonly value: string;
  /** The same as bytes. */
  readonly bytes: Uint8Array;
  /** The bytes after the token, if that has 22 characters, as all random tokens do. */
  readonly metadata: string | undefined;
  /** How long it lasts without a refresh, in milliseconds; `Infinity` without an end. */
  readonly remaining: number;
}

/** @internal What the keys hold that are not free. */
export function held(found: Found): Holding[] {
  return found
    .filter(({ remaining }) => !Number.isNaN(remaining))
    .map(({ remaining, value: bytes }) => {
      const value = new TextDecoder().decode(bytes);
      const metadata = /^[\w-]{22}(.*)$/s.exec(value)?.[1];
      return { value, bytes, metadata, remaining: remaining < 0 ? Infinity : remaining };
    });
}

/** One key, or several of which all are locked or none. */
export type Keys = Bytes | readonly Bytes[];

type Work<T> = (lock: Lock) => T | PromiseLike<T>;

/** Obtains locks from the servers that it is connected to. Close it, or it keeps the process alive. */
export class Locker implements AsyncDisposable {
  readonly #fleet: Fleet;

  /** @internal */
  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  /**
   * Obtains a lock on one key or on several, all or none. Without `wait` it is tried once.
   *
   * Rejected with a {@link NotObtainedError}, with the reason of `signal`, with an `ArgumentError`, or with a
   * `ClosedError`; and then nothing of it is left on a server.
   */
  async obtain(keys: Keys, options?: ObtainOptions): Promise<Lock> {
    // Nothing begins before all arguments are checked.
    const [list, how] = [listed(keys), obtainOptions(options)];
    const driver = this.#fleet.of(list);
    const behind = driver.behind();
    if (behind) {
      await behind;
    }
    // A request that waits is retried by the engine; any other once, if its connection broke.
    for (let mayAsk = how.wait === undefined; ; mayAsk = false) {
      try {
        return await this.#obtain(driver, list, how, mayAsk);
      } catch (error) {
        if (error !== CUT) {
          throw retraced(error);
        }
      }
    }
  }

  #obtain(driver: Driver, keys: readonly Bytes[], options: ObtainOptions, isFirst: boolean): Promise<Lock> {
    const { signal, metadata = "" } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        return reject(signal.reason);
      }
      let cell: Cell | undefined;
      const cancel = () => {
        if (cell !== undefined) {
          cell.obtaining = undefined;
          driver.release(cell);
        }
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", cancel, { once: true });
      const deaf = () => signal?.removeEventListener("abort", cancel);
      try {
        cell = driver.obtain(keys, options, isFirst);
      } catch (error) {
        outside(deaf);
        throw error;
      }
      const lock = MODES ? new ModeLock(driver, cell, metadata, (options as ModeOptions).mode) : new Lock(driver, cell, metadata);
      const settled = () => signal && driver.later.add(deaf);
      cell.obtaining = {
        resolve: () => (settled(), resolve(lock)),
        reject: (error) => (settled(), reject(error)),
      };
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
      throw retraced(error);
    }
  }

  /**
   * Obtains a lock, does the work, and releases the lock, however the work ends. Pass `lock.signal` on: it is aborted
   * when the lock is lost.
   *
   * Rejected with a `LockLostError` if the lock was lost before the work had ended, also if only the release finds that;
   * with the error of the work, if it fails; and as {@link Locker.obtain} is. It waits for the release, which takes at
   * most three request timeouts and goes on in the background then: see {@link Lock.release}.
   */
  using<T>(keys: Keys, work: Work<T>): Promise<T>;
  using<T>(keys: Keys, options: ObtainOptions | undefined, work: Work<T>): Promise<T>;
  async using<T>(keys: Keys, options: ObtainOptions | undefined | Work<T>, work?: Work<T>): Promise<T> {
    const [how, what] = typeof options === "function" && work === undefined ? [undefined, options] : [options, work];
    call(what, "work");
    const lock = await this.obtain(keys, how as ObtainOptions | undefined);
    let result: T;
    try {
      result = await (what as Work<T>)(lock);
    } catch (error) {
      await lock.release();
      throw error;
    }
    await lock.end();
    return result;
  }

  /**
   * Returns who holds a key, without changing anything; `null` if it is free. With several keys: the first that is held.
   *
   * Rejected with an `InspectError` if too few servers replied.
   */
  async inspect(keys: Keys): Promise<Holding | null> {
    const list = listed(keys);
    const found = await inspected(this.#fleet.of(list), list, HOLDINGS);
    return held(found)[0] ?? null;
  }

  /**
   * Lets the process end while nothing is held or requested: see `unref` of Node's sockets. Without it, or after `ref`, the
   * process lives until `close`. Runtimes without such a thing take no notice.
   */
  unref(): this {
    this.#fleet.keep(false);
    return this;
  }

  /** Keeps the process alive again. */
  ref(): this {
    this.#fleet.keep(true);
    return this;
  }

  /**
   * Releases all locks, cancels all requests, and closes the connections. It takes one request timeout if servers do not
   * reply. Locks that are still in use are lost.
   */
  close(): Promise<void> {
    return this.#fleet.close();
  }

  /** Closes it: for `await using`. */
  declare [Symbol.asyncDispose]: () => Promise<void>;
}
