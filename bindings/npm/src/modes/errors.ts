import type { Bytes } from "../check.js";
import { NotObtainedError as Plain, type Why } from "../errors.js";

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
