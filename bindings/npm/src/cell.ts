import { ClosedError, EngineError, LockLostError, NotObtainedError, type LockLostCode, type Why } from "./errors.js";
import type { Bytes, Drawn } from "./options.js";

/** What a release found: see `Lock.release`. */
export type Released = "confirmed" | "missing" | "unconfirmed" | "shared" | "expired";

/** What one promise waits for. */
export interface Waiter<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** The reason of a rejection if the connection broke before the reply: the caller may retry once. */
export const CUT = Symbol();

/** @internal Asks, and once more if the connection broke, as one does that was closed while it was idle. */
export async function again<T>(ask: (isFirst: boolean) => Promise<T>): Promise<T> {
  try {
    return await ask(true);
  } catch (error) {
    if (error === CUT) {
      return ask(false);
    }
    throw error;
  }
}

/** One lock's side of the conversation with the driver. It outlives the lock in the engine for as long as its handle. */
export class Cell {
  readonly id: bigint;
  readonly keys: readonly Bytes[];
  readonly token: Drawn | Bytes;
  /** Why it is no longer held; undefined while it is held or requested. */
  lost: LockLostCode | undefined;
  /** What a server had to do with that. */
  why: Why | undefined;
  /** If it may be requested once more: how many connections had broken at the request. */
  cuts: number | undefined;
  /** The number of the grant; 0 without one. */
  fence = 0;
  /** The promise of the lock. */
  obtaining: Waiter<void> | undefined;
  /** Those who wait for a refresh. */
  refreshing: Waiter<void>[] = [];
  /** Those who wait for a change of the mode. */
  declare changing?: Waiter<void>[];
  /** The release, once somebody wants it. */
  released: Promise<Released> | undefined;
  #releasing: ((proof: Released) => void) | undefined;
  #ended: Released | undefined;
  #abort: AbortController | undefined;

  constructor(id: bigint, keys: readonly Bytes[], token: Drawn | Bytes) {
    this.id = id;
    this.keys = keys;
    this.token = token;
  }

  /** Made at the first use: most locks are never watched, and a signal is expensive. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      this.abort();
    }
    return this.#abort.signal;
  }

  /** The error that it is no longer held. Without a known reason its lease has ended. */
  error(): LockLostError {
    return new LockLostError(this.keys, this.lost ?? "expired", this.why);
  }

  held(fence: number): void {
    this.fence = fence;
    this.obtaining?.resolve();
    this.obtaining = undefined;
  }

  /** The requested refreshes have succeeded. */
  refreshed(): void {
    this.refreshing.splice(0).forEach((waiter) => waiter.resolve());
  }

  /** A release was requested: `released` is its promise from now on. */
  release(): void {
    this.released = new Promise((resolve) => {
      if (this.#ended === undefined) {
        this.#releasing = resolve;
      } else {
        resolve(this.#ended);
      }
    });
  }

  /** It was never ours. */
  notObtained(error: NotObtainedError | ClosedError | EngineError): void {
    this.obtaining?.reject(error);
    this.obtaining = undefined;
  }

  /** It is over. `tell` is still to be called, for what runs the user's code. */
  over(lost: LockLostCode, proof: Released): void {
    this.lost ??= lost;
    this.#ended = proof;
    this.#releasing?.(proof);
    const reject = (waiter: Waiter<void>) => waiter.reject(this.error());
    this.refreshing.splice(0).forEach(reject);
    if (MODES) {
      this.changing?.splice(0).forEach(reject);
    }
  }

  /** Aborts the signal, unless the owner has released the lock: then nothing was lost. */
  abort(): void {
    if (this.lost !== undefined && this.lost !== "released") {
      this.#abort?.abort(this.error());
    }
  }
}
