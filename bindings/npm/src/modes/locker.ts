import type { Bytes } from "../check.js";
import { Locker as Plain, type Keys } from "../locker.js";
import type { Lock } from "./lock.js";
import type { Mode, ObtainOptions } from "./mode.js";

/** The options of `read`, `write` and `permit`: the method says the mode. */
export type ModeOptions = Omit<ObtainOptions, "mode">;

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

  #in(mode: Mode, key: Bytes, options: ModeOptions | undefined): Promise<Lock> {
    return this.obtain(key, { ...options, mode });
  }
}
