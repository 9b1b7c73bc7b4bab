import { bytes, checked, refuse, type Bytes, type Kind } from "../check.js";
import type { Fleet } from "../fleet.js";
import { inspected } from "../lock.js";
import { Locker as Plain, type Keys } from "../locker.js";
import type { Lock } from "./lock.js";
import type { Mode, ObtainOptions } from "./mode.js";
import { STATUS, type Status } from "./status.js";

/** The options of `read`, `write` and `permit`: the method says the mode. */
export type ModeOptions = Omit<ObtainOptions, "mode">;

const none: Kind = (value, name) => refuse(name, "left out: the method says it", value);

type Work<T> = (lock: Lock) => T | PromiseLike<T>;

// The methods of the class below, with the options and the locks of this entry.
export interface Locker {
  obtain(keys: Keys, options?: ObtainOptions): Promise<Lock>;
  tryObtain(keys: Keys, options?: ObtainOptions): Promise<Lock | null>;
  using<T>(keys: Keys, work: Work<T>): Promise<T>;
  using<T>(keys: Keys, options: ObtainOptions | undefined, work: Work<T>): Promise<T>;
}

/** Obtains locks from the servers that it is connected to. Close it, or it keeps the process alive. */
export class Locker extends Plain {
  readonly #fleet: Fleet;

  /** @internal */
  constructor(fleet: Fleet) {
    super(fleet);
    this.#fleet = fleet;
  }

  /**
   * Obtains a read lock: any number of them share a key, and exclude write locks and locks by `obtain`, also those of other
   * libraries. The same as `obtain` with `mode: "read"`.
   */
  read(key: Bytes, options?: ModeOptions): Promise<Lock> {
    return this.#in("read", key, options);
  }

  /**
   * Obtains a write lock: it excludes all others, and those that wait come in the order of their requests, in whichever process.
   * The same as `obtain` with `mode: "write"`.
   */
  write(key: Bytes, options?: ModeOptions): Promise<Lock> {
    return this.#in("write", key, options);
  }

  /**
   * Obtains one of `permits` for a key. At no time do more clients share it than the largest number with which one of them was
   * requested. The same as `obtain` with `mode: { permits }`.
   */
  permit(key: Bytes, permits: number, options?: ModeOptions): Promise<Lock> {
    return this.#in({ permits }, key, options);
  }

  /**
   * Returns everything that servers know of a key: who has it, alone or with others, how many clients wait for it in order, and
   * its last fence. The answer may be out of date when it arrives. It takes a script and the rights of read locks;
   * `inspect` needs neither.
   *
   * Rejected with an `InspectError` if too few servers replied, or one runs no scripts.
   */
  async status(key: Bytes): Promise<Status> {
    const list = [bytes(key, "key") as Bytes];
    return await inspected(this.#fleet.of(list), list, STATUS);
  }

  async #in(mode: Mode, key: Bytes, options: ModeOptions = {}): Promise<Lock> {
    checked(options, "", { mode: none }, true);
    return await this.obtain(key, { ...options, mode });
  }
}
