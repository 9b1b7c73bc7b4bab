import type { Bytes } from "./check.js";

/** The least that all errors of this package have in common. */
export abstract class TenureError extends Error {
  /** What went wrong, as a word that stays the same in later versions. The message may change. */
  readonly code: string;
  readonly #keys: readonly Bytes[];

  /** @internal */
  constructor(code: string, message: string, keys: readonly Bytes[] = [], options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.#keys = keys;
  }

  /** The keys that it is about, if it is about keys. Not among what is printed: they may be many. */
  get keys(): readonly Bytes[] {
    return this.#keys;
  }

  /** The name of its class, also where classes were renamed. */
  override get name(): string {
    return this.constructor.name;
  }
}

/** @internal Adds the stack of the caller that waits: the error itself was made when a reply arrived. */
export function retraced(error: unknown): unknown {
  if (error instanceof TenureError) {
    Error.captureStackTrace?.(error);
  }
  return error;
}

/** How much of a key an error shows. */
const SHOWN = 64;

function shownKey(key: Bytes | undefined): string {
  const text = typeof key === "string" ? key : new TextDecoder().decode(key);
  return JSON.stringify(text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text);
}

/** @internal */
export function shownKeys([first, ...others]: readonly Bytes[]): string {
  return shownKey(first) + (others.length > 0 ? ` and ${others.length} more` : "");
}

// The engine gives reasons as the numbers of lines in these tables. The tests of `bindings/wasm/src/codes.rs` see that
// every reason has its line.

const ARGUMENTS = {
  malformed: "the engine is of another version than the program",
  empty_key: "a key must have at least one byte",
  key_too_long: "a key must have at most 1024 bytes",
  no_key: "a lock must have at least one key",
  too_many_keys: "a lock must have at most 64 keys",
  duplicate_key: "the keys of a lock must differ",
  empty_token: "a token must have at least one byte",
  token_too_long: "a token must have at most 128 bytes",
  metadata_too_long: "metadata must have at most 4096 bytes",
  ttl_too_short: "the ttl must be at least 3 ms",
  ttl_too_long: "the ttl must be at most 365 days",
  no_server: "at least one server is needed",
  too_many_servers: "at most 31 servers are possible",
  too_few_for_quorum: "a quorum needs at least three servers",
};

/** @internal */
export function refusal(code: number): ArgumentError {
  const name = nameOf(ARGUMENTS, code);
  return new ArgumentError(name, ARGUMENTS[name]);
}

/**
 * What was given cannot be used. Codes: `empty_key`, `key_too_long`, `no_key`, `too_many_keys`, `duplicate_key`,
 * `empty_token`, `token_too_long`, `metadata_too_long`, `ttl_too_short`, `ttl_too_long`, `no_server`,
 * `too_many_servers`, `too_few_for_quorum`, `same_server`, `not_text`, `bad_url`, `bad_option`; in the entry `tenure/modes` also
 * `acks_over_client`.
 */
export class ArgumentError extends TenureError {
  /** @internal */
  static override readonly name = "ArgumentError";

  /** @internal */
  constructor(code: string, message: string) {
    super(code, message);
  }
}

const NODES = {
  disconnected: "not connected",
  timed_out: "no reply in time",
  malformed: "it does not reply in RESP",
  answer_too_large: "a reply is larger than allowed",
  overloaded: "too many requests wait for its reply",
  loading: "LOADING: it is still loading its data",
  read_only: "READONLY: it is a replica, connect to the primary",
  master_down: "MASTERDOWN: it is a replica without its primary",
  moved: "MOVED: it is part of a cluster, which needs a cluster client",
  cluster_down: "CLUSTERDOWN: the cluster does not serve the key",
  try_again: "TRYAGAIN: the keys are being moved",
  cross_slot: "CROSSSLOT: give the keys the same {tag}",
  no_auth: "NOAUTH: it requires a password",
  wrong_password: "WRONGPASS: the user name or the password is wrong",
  no_permission: "NOPERM: the user lacks a permission",
  no_database: "it has no database with that number",
  out_of_memory: "OOM: it is out of memory",
  misconfigured: "MISCONF: it cannot save its data",
  busy: "BUSY: it is running a script that does not end",
  no_replicas: "NOREPLICAS: too few of its replicas follow it, or confirm in time",
  unsupported: "it does not support a command",
  protected_mode: "DENIED: it is in protected mode: set a password there, or connect from its own machine",
  too_many_clients: "it has reached its limit of clients (maxclients)",
  no_scripts: "it runs no scripts, which this needs: permit EVAL and EVALSHA",
  other: "an unknown error",
  // Elsewhere there is no option for acks.
  ...(MODES && {
    no_acks: "it cannot wait for its replicas, or has no append-only file: see WAIT and WAITAOF",
  }),
};

function nameOf<Name extends string>(table: Record<Name, string>, code: number): Name {
  return Object.keys(table)[code] as Name;
}

type Fault = keyof typeof NODES;

/** What a server did wrong, and what people may read about that. */
export interface Why {
  readonly fault: Fault;
  readonly text: string;
}

/** @internal If it is the fault of a server: the number is negative if not. What is not known here it says itself. */
export function whyOf(code: number, words: () => string): Why | undefined {
  const fault = nameOf(NODES as Record<Fault, string>, code) as Fault | undefined;
  const said = fault === "other" && words();
  return fault && { fault, text: NODES[fault] + (said ? `: ${said}` : "") };
}

function because(why: Why | undefined): string {
  return why ? `: ${why.text}` : "";
}

/** Why a lock was not obtained. */
export type NotObtainedCode = "taken" | "timed_out" | "too_late" | "unreachable" | "refused" | "limit_reached" | "unsupported";

/** `#` stands for the holder. */
const NOT_OBTAINED: Record<NotObtainedCode | "cancelled", string> = {
  taken: "held by #",
  timed_out: "still held by # when the wait was over",
  too_late: "granted so late that its time was over: ask for a longer ttl or maxHold",
  unreachable: "too few servers replied",
  refused: "refused",
  limit_reached: "too many locks at one time",
  cancelled: "",
  unsupported: "not possible",
};

/** @internal The number of its line. */
export const TOO_LATE = 2;

/** Added to the number of a line if the holder is another lock of the same engine. */
const OURS = 8;

/** @internal */
export function reasonOf(code: number): NotObtainedCode | "cancelled" {
  return nameOf(NOT_OBTAINED, code % OURS);
}

/**
 * The lock was not obtained, and nothing of the attempt is left on a server. Codes:
 *
 * - `taken`: it is held, and there was no `wait`, or `retry` allows no further try. `ours` says whether the holder is
 *   another lock of this `Locker`;
 * - `timed_out`: the `wait` is over, and at the last look it was held. `ours` as above;
 * - `too_late`: it was granted so late that its `ttl` or `maxHold` was over by then: they are shorter than a round trip;
 * - `unreachable`: too few servers gave an answer, so who holds it is not known. `fault` says what a server did;
 * - `refused`: a server refuses for a reason that trying again does not mend. `fault` says which;
 * - `limit_reached`: there are as many locks at once as `limits.locks` allows;
 * - `unsupported`: token and metadata together are `~shared`, which servers keep for locks that share a key.
 */
export class NotObtainedError extends TenureError {
  declare readonly code: NotObtainedCode;
  /** With `taken`: how long the holder still has without a refresh, in milliseconds, where that is known. */
  readonly remaining: number | undefined;
  /** With `taken` and `timed_out`: whether another lock of this `Locker` holds it. Otherwise false. */
  readonly ours: boolean;
  /** With `unreachable` and `refused`: what a server did wrong, such as `disconnected` or `no_permission`. */
  readonly fault: string | undefined;

  /** @internal */
  static override readonly name = "NotObtainedError";

  /** @internal With the time that the holder still has, if `more` is not negative and it is taken. */
  constructor(keys: readonly Bytes[], reason: number, more: number, why?: Why) {
    const code = reasonOf(reason) as NotObtainedCode;
    const ours = reason >= OURS;
    const remaining = code === "taken" && more >= 0 ? more : undefined;
    const left = remaining === undefined ? "" : ` for about ${rough(remaining)} more`;
    const holder = ours ? "another lock of this Locker" : "another client";
    // Which of them are apart is seen only if all are shown.
    const shown = why?.fault === "cross_slot" ? keys.map(shownKey).join() : shownKeys(keys);
    super(code, `${shown}: ${NOT_OBTAINED[code].replace("#", holder)}${left}${because(why)}`, keys);
    this.remaining = remaining;
    this.ours = ours;
    this.fault = why?.fault;
  }
}

/** A time for people, as the engine shows it: rounded down, and never more than the ttl that was requested. */
function rough(end: number): string {
  const ms = Math.max(0, Math.floor(end - 1));
  if (ms < 1_000) return `${ms} ms`;
  if (ms < 120_000) return `${ms < 10_000 ? Math.floor(ms / 100) / 10 : Math.floor(ms / 1_000)} s`;
  return ms < 7_200_000 ? `${Math.floor(ms / 60_000)} min` : `${Math.floor(ms / 3_600_000)} h`;
}

/** Why a lock is no longer held. */
export type LockLostCode = "expired" | "taken" | "max_hold" | "refused" | "closed" | "released" | "engine_failed";

const LOSSES: Record<LockLostCode, string> = {
  expired: "the lease ended",
  taken: "the key was deleted, overwritten or expired on the server",
  max_hold: "it reached max_hold",
  refused: "it cannot be refreshed",
  closed: "its Locker was closed",
  released: "it was released",
  engine_failed: "its engine failed, so it is no longer renewed",
};

/** @internal */
export function lossOf(code: number): LockLostCode {
  return nameOf(LOSSES, code);
}

/**
 * The lock is no longer held. This is the reason of `lock.signal`, too. Codes:
 *
 * - `expired`: the lease ended before a refresh succeeded, or before it was released. `fault` says why the last
 *   refresh failed, if one did;
 * - `taken`: the servers replied that the key is no longer ours: deleted, overwritten, or expired there;
 * - `max_hold`: it was held for `maxHold`;
 * - `refused`: a server refuses to refresh it, for a reason that trying again does not mend. `fault` says which;
 * - `released`: it was released by `release()`;
 * - `closed`: its `Locker` was closed;
 * - `engine_failed`: its engine trapped, see {@link EngineError}.
 */
export class LockLostError extends TenureError {
  declare readonly code: LockLostCode;
  /** With `refused`, and with `expired` where it is known: what a server did wrong, such as `no_permission`. */
  readonly fault: string | undefined;

  /** @internal */
  static override readonly name = "LockLostError";

  /** @internal */
  constructor(keys: readonly Bytes[], code: LockLostCode, why?: Why) {
    super(code, `the lock on ${shownKeys(keys)} is not held: ${LOSSES[code]}${because(why)}`, keys);
    this.fault = why?.fault;
  }
}

/** Too few servers gave an answer, or the same one. Its code is `not_answered`. */
export class InspectError extends TenureError {
  /** What a server did wrong, such as `disconnected`. */
  readonly fault: string;

  /** @internal */
  static override readonly name = "InspectError";

  /** @internal */
  constructor(keys: readonly Bytes[], why: Why) {
    super("not_answered", `${shownKeys(keys)}: too few servers replied${because(why)}`, keys);
    this.fault = why.fault;
  }
}

/** Too few servers could be used. Its code is `not_connected`. */
export class ConnectError extends TenureError {
  /** What is wrong with each server that failed, by its address. */
  readonly failures: ReadonlyMap<string, string>;

  /** @internal */
  static override readonly name = "ConnectError";

  /** @internal */
  constructor(needed: number, ready: number, failures: ReadonlyMap<string, string>) {
    const each = [...failures].map(([address, why]) => `${address}: ${why}`).join("; ");
    super("not_connected", `${ready} of ${needed} servers that are needed are ready (${each})`);
    this.failures = failures;
  }
}

/** The `Locker` is closed, or closes. Its code is `closed`. */
export class ClosedError extends TenureError {
  /** @internal */
  static override readonly name = "ClosedError";

  /** @internal */
  constructor(keys?: readonly Bytes[]) {
    super("closed", "this Locker is closed", keys);
  }
}

/**
 * The engine trapped, which is a bug of this package: please report it with `cause`. Its code is `engine_failed`.
 *
 * A module that has trapped cannot be used any longer, so its `Locker` is closed: its locks are lost, and its keys stay
 * on the servers until their ttl is over. Others have engines of their own and go on.
 */
export class EngineError extends TenureError {
  /** @internal */
  static override readonly name = "EngineError";

  /** @internal */
  constructor(cause: unknown, keys?: readonly Bytes[]) {
    super("engine_failed", "the engine failed; this Locker can no longer be used", keys, { cause });
  }
}
