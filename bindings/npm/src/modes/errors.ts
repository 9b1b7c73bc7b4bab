import type { Bytes } from "../check.js";
import { NotObtainedError as Plain, shownKeys, TenureError, type Why } from "../errors.js";

/**
 * Who is in the way: another client, another lock of this `Locker`, those who share the key, or nobody but a client that has
 * waited longer.
 */
export type Holder = "other" | "ourselves" | "sharing" | "queue";

/** In the order of `bindings/wasm/src/codes.rs`, eight codes for each. */
const HOLDERS: readonly Holder[] = ["other", "ourselves", "sharing", "queue"];
const CODES = 8;

/** Of the same file. */
const UNSUPPORTED = [
  'token and metadata must not be "~shared", the value of keys that are shared',
  "read locks, write locks and permits need one server, or all of several in order: with a quorum, each server counts only its own holders",
  "read locks, write locks and permits have one key: to wait in order, a lock with several keys would have to be the first for each of them",
  "a lock that others share has no fence: a resource would refuse the older of two valid holders",
  "a limit of permits must be at least 1",
  "a lock with a token of your own cannot wait for replicas: its key may have been written by others",
];

const CLIENT = "another client";
const SHOWN: Partial<Record<Holder, string>> = { sharing: "those who share it", queue: "a client that has waited longer" };

/**
 * The lock was not obtained, and nothing of the attempt is left on a server. The codes are those of the entry `tenure`. With
 * `unsupported`, the message says why the request is not possible.
 */
export class NotObtainedError extends Plain {
  /** With `taken` and `timed_out`: who was in the way at the last look. */
  readonly by: Holder | undefined;

  /** @internal */
  static override readonly name = "NotObtainedError";

  /** @internal */
  constructor(keys: readonly Bytes[], reason: number, more: number, why?: Why) {
    // Of holders, the class below knows the first two.
    super(keys, reason < 2 * CODES ? reason : reason % CODES, more, why);
    const isHeld = this.code === "taken" || this.code === "timed_out";
    this.by = isHeld ? HOLDERS[Math.floor(reason / CODES)] : undefined;
    const shown = this.by && SHOWN[this.by];
    const at = this.message.lastIndexOf(CLIENT);
    if (shown && at >= 0) {
      this.message = this.message.slice(0, at) + shown + this.message.slice(at + CLIENT.length);
    } else if (this.code === "unsupported") {
      this.message += `: ${UNSUPPORTED[more]}`;
    }
  }
}

// The same as above: the numbers of lines in these tables, of which the first is a `LockLostError`.

const CHANGES = {
  not_held: "the lock is not held",
  same_mode: "the lock has that mode already",
  exclusive: "only locks by `read`, `permit` and `write` can change: one by `obtain` does not know of readers",
  several_servers: "a lock on several servers cannot change: it could succeed on some of them only",
  own_token: "a lock with a token of your own cannot change: other locks with that token would not learn of it",
  under_way: "an earlier change of the lock is not over",
  unsettled: "an earlier change had no certain result: release the lock and obtain another one",
};

const NOT_CHANGED = {
  taken: "held",
  failed: "the server did not change it",
  unanswered: "it is not known whether it changed",
};

/** Why a lock did not change, although that was requested from the server. */
export type NotChangedCode = keyof typeof NOT_CHANGED;

/** Why a lock did not change. */
export type ModeErrorCode = Exclude<keyof typeof CHANGES, "not_held"> | NotChangedCode;

const HELD_BY: Record<Holder, string> = {
  other: `by ${CLIENT}`,
  ourselves: "by another lock of this Locker",
  sharing: `by ${SHOWN.sharing}`,
  queue: `for ${SHOWN.queue}`,
};

/**
 * A lock did not change from reader to writer or back, and is still held. Codes:
 *
 * - `taken`: others share the key, or hold it: `by` says who. It can be tried again;
 * - `failed`: the server refused, or could not be reached: `fault` says why. A reader still is one, and may try again. A writer
 *   counts as a reader, and changes no more;
 * - `unanswered`: there was no reply. The lock counts as a reader, and changes no more.
 *
 * With the others nothing was sent, and the lock is unchanged:
 *
 * - `same_mode`: it has that mode already;
 * - `exclusive`: it was obtained in the mode `exclusive`;
 * - `several_servers`: a change could succeed on some of them only;
 * - `own_token`: other locks with that token would not learn of the change;
 * - `under_way`: an earlier change is not over;
 * - `unsettled`: it is not known whether an earlier change was carried out, or will be.
 */
export class ModeError extends TenureError {
  declare readonly code: ModeErrorCode;
  /** With `taken`: who is in the way. */
  readonly by: Holder | undefined;
  /** With `failed` and `unanswered`: what a server did wrong, such as `disconnected`. */
  readonly fault: string | undefined;

  /** @internal */
  static override readonly name = "ModeError";

  /** @internal */
  constructor(keys: readonly Bytes[], code: ModeErrorCode, message: string, by?: Holder, why?: Why) {
    super(code, `${shownKeys(keys)}: ${message}`, keys);
    this.by = by;
    this.fault = why?.fault;
  }

  /** @internal Nothing was sent. */
  static refused(keys: readonly Bytes[], code: number): ModeError {
    const name = Object.keys(CHANGES)[code] as Exclude<keyof typeof CHANGES, "not_held">;
    return new ModeError(keys, name, CHANGES[name]);
  }

  /** @internal */
  static notChanged(keys: readonly Bytes[], reason: number, why: Why | undefined): ModeError {
    const name = Object.keys(NOT_CHANGED)[reason % CODES] as NotChangedCode;
    const by = name === "taken" ? (HOLDERS[Math.floor(reason / CODES)] as Holder) : undefined;
    const detail = by ? ` ${HELD_BY[by]}` : `: ${why?.text}`;
    return new ModeError(keys, name, `not changed: ${NOT_CHANGED[name]}${detail}`, by, why);
  }
}
