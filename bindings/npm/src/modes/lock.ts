import type { Cell, Released } from "../cell.js";
import type { Bytes } from "../check.js";
import type { Driver } from "../driver.js";
import { endOf } from "../ends.js";
import { LockLostError } from "../errors.js";
import { Lock as Plain } from "../lock.js";
import { isShared, type Mode } from "./mode.js";

/**
 * A lock that was obtained. Release it, with `await using`, `locker.using` or {@link Lock.release}: one that is only
 * forgotten is kept alive until its `Locker` is closed or its `maxHold` is over.
 */
export class Lock extends Plain {
  readonly #driver: Driver;
  readonly #cell: Cell;
  /** How many handles have not been released. */
  readonly #handles: { count: number };
  #released: Promise<Released> | undefined;
  /** Who else may hold the key. */
  readonly mode: Mode;

  /** @internal */
  constructor(driver: Driver, cell: Cell, metadata: Bytes, mode: Mode = "exclusive", handles = { count: 1 }) {
    super(driver, cell, metadata);
    this.#driver = driver;
    this.#cell = cell;
    this.#handles = handles;
    this.mode = mode;
  }

  /**
   * Another handle of this lock, for a function that needs the lock itself. The lock is released with its last handle: the
   * releases before are `shared`. A loss ends all of them. Nothing is sent, and the lease is not extended.
   *
   * Throws a {@link LockLostError} if the lock is no longer held.
   */
  again(): Lock {
    this.assertHeld();
    this.#handles.count += 1;
    return new Lock(this.#driver, this.#cell, this.metadata, this.mode, this.#handles);
  }

  override remaining(): number {
    return this.#released === undefined ? super.remaining() : 0;
  }

  override assertHeld(): void {
    this.#own();
    super.assertHeld();
  }

  /**
   * Asks the servers how long they will keep the lock without a refresh, in milliseconds; `null` if it is no longer held there.
   * This refreshes a lock that is shared, because nothing else reports how long its own lease lasts.
   */
  override async remainingOnServers(): Promise<number | null> {
    if (!isShared(this.mode)) {
      return super.remainingOnServers();
    }
    try {
      return await this.refresh();
    } catch (error) {
      if (error instanceof LockLostError && error.code === "taken") {
        return null;
      }
      throw error;
    }
  }

  override async refresh(ttl?: number): Promise<number> {
    this.#own();
    return super.refresh(ttl);
  }

  override stopRenewing(): void {
    if (this.#released === undefined) {
      super.stopRenewing();
    }
  }

  override release(): Promise<Released> {
    if (this.#released === undefined) {
      this.#handles.count -= 1;
      const released = this.#handles.count === 0 ? super.release() : Promise.resolve(this.#left());
      this.#released = released;
    }
    return this.#released as Promise<Released>;
  }

  /** @internal */
  override async end(): Promise<void> {
    const proof = await this.release();
    if (proof !== "shared" || this.#cell.lost !== undefined) {
      await super.end();
    }
  }

  /** What the release of one handle finds while there are others. */
  #left(): Released {
    return super.isHeld() ? "shared" : endOf(this.#cell.lost ?? "expired");
  }

  /** A handle that was released is no longer one of the lock. */
  #own(): void {
    if (this.#released !== undefined && this.#cell.lost === undefined) {
      throw new LockLostError(this.keys, "released");
    }
  }
}
