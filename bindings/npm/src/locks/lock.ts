/** As in a browser: one holder, or any number of them. */
export type LockMode = "exclusive" | "shared";

/** As in a browser. */
export interface LockOptions {
  /** Default: `exclusive`. */
  mode?: LockMode | undefined;
  /** Calls back with `null` at once if the lock is not free. Default: false. */
  ifAvailable?: boolean | undefined;
  /** Refused with a `NotSupportedError`: a server cannot take a lock from its holder. Default: false. */
  steal?: boolean | undefined;
  /** Ends the wait: `request` is rejected with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** What is done while the lock is held: until the promise that it returns is settled. */
export type LockGrantedCallback<T> = (lock: Lock | null) => T | PromiseLike<T>;

/** A lock that is held or requested. */
export interface LockInfo {
  readonly name: string;
  readonly mode: LockMode;
  /** The same for all locks of one `LockManager`, and for no others. */
  readonly clientId: string;
}

/** The locks of one `LockManager`: held ones in the order of their grants, others in the order of their requests. */
export interface Snapshot {
  readonly held: LockInfo[];
  readonly pending: LockInfo[];
}

/** What a callback is given. */
export class Lock {
  readonly #name: string;
  readonly #mode: LockMode;
  readonly #signal: () => AbortSignal;

  /** @internal */
  constructor(name: string, mode: LockMode, signal: () => AbortSignal) {
    this.#name = name;
    this.#mode = mode;
    this.#signal = signal;
  }

  get name(): string {
    return this.#name;
  }

  get mode(): LockMode {
    return this.#mode;
  }

  /** Aborted when the lock is lost; `navigator.locks` has nothing like it. Pass it to what must not go on without the lock. */
  get signal(): AbortSignal {
    return this.#signal();
  }
}
