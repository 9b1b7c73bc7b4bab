import type { Cell, Released } from "../cell.js";
import type { Bytes } from "../check.js";
import type { Driver } from "../driver.js";
import { endOf } from "../ends.js";
import { LockLostError, retraced } from "../errors.js";
import { Lock as Plain } from "../lock.js";
import { change } from "./change.js";
import { isShared, modeOf, type Mode } from "./mode.js";

/**
 * A lock that was obtained. Release it, with `await using`, `locker.using` or {@link Lock.release}: one that is only
 * forgotten is kept alive until its `Locker` is closed or its `maxHold` is over.
 */
export class Lock extends Plain {
  readonly #driver: Driver;
  readonly #cell: Cell;
  /** How many handles have not been released, and the last known mode of all of them. */
  readonly #handles: { count: number; mode: Mode };
  #released: Promise<Released> | undefined;

  /** @internal */
  constructor(driver: Driver, cell: Cell, metadata: Bytes, mode: Mode = "exclusive", handles = { count: 1, mode }) {
    super(driver, cell, metadata);
    this.#driver = driver;
    this.#cell = cell;
    this.#handles = handles;
  }

  /**
   * Who else may hold the key, as far as this lock may rely on it: a reader is one until an upgrade has succeeded, and a writer is
   * none from the moment that a downgrade is requested. The last known mode if the lock has ended.
   */
  get mode(): Mode {
    return (this.#handles.mode = modeOf(this.#driver, this.#cell) ?? this.#handles.mode);
  }

  /**
   * Whether others may hold the key at the same time, as far as this lock may rely on it: true for a reader and a permit, until
   * an upgrade has succeeded, and from the moment that a downgrade is requested. False once the lock has ended.
   */
  isShared(): boolean {
    return this.isHeld() && isShared(this.mode);
  }

  /**
   * Turns a reader or a permit into a writer, if no other client shares the key now. It does not wait: two readers that both
   * waited for the other to leave would wait forever. It goes ahead of those who wait for the key.
   *
   * The lock is a reader until this is resolved. The lease is renewed as well.
   *
   * Rejected with a `ModeError`, and then the lock is still a reader. With `taken`, others share the key, and it may be tried
   * again; after `unanswered` the lock changes no more. Rejected with a {@link LockLostError} if the lock is no longer held.
   */
  tryUpgrade(): Promise<void> {
    return this.#change(true);
  }

  /**
   * Turns a writer into a reader, in one step: no other writer comes in between. Readers that wait come in, unless a writer has
   * waited for longer. A lock that was a permit before it became a writer is one again.
   *
   * The lock counts as a reader from this call on, even if it is rejected with `failed` or `unanswered`: write nothing more under
   * it. It changes no more then, and others may have to wait until it is released.
   *
   * Rejected with a `ModeError`, or with a {@link LockLostError} if the lock is no longer held.
   */
  downgrade(): Promise<void> {
    return this.#change(false);
  }

  /**
   * Another handle of this lock, for a function that needs the lock itself. The lock is released with its last handle: the
   * releases before are `shared`. A loss ends all of them, and a change of the mode is one of all. Nothing is sent, and the lease
   * is not extended.
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

  async #change(up: boolean): Promise<void> {
    this.#own();
    try {
      await change(this.#driver, this.#cell, up);
    } catch (error) {
      throw retraced(error);
    } finally {
      this.#handles.mode = this.mode;
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
