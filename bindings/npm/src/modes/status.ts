import type * as Exports from "../../generated/modes/exports.js";
import type { Question } from "../inspections.js";
import { held, type Holding } from "../locker.js";
import { found } from "../machine.js";

/** Everything that servers know of a key. They do not keep whether a holder is a reader or a permit, nor the limit of permits. */
export interface Status {
  /** Whether those who have the key share it. */
  readonly isShared: boolean;
  /**
   * What the key itself holds, and for how long; `null` if it is free. If it is shared, that is a marker, which lasts as long as
   * the last lease or a little longer.
   */
  readonly held: Holding | null;
  /** Those who have the key: one, or up to 100 of those who share it, the longest lease first. */
  readonly holders: readonly Holding[];
  /** How many more share the key. */
  readonly more: number;
  /** How many clients have a place in the queue. A client has one for all its locks that wait to have a key alone. */
  readonly waiting: number;
  /** The last fence, if the servers keep one. */
  readonly fence: number | undefined;
}

const SHARED = "~shared";
/** Three numbers come before the key and its holders: see `bindings/wasm/src/events/modes.rs`. */
const COUNTS = 3;

/** @internal */
export const STATUS: Question<Status> = {
  ask: (engine, len, now) => (engine as typeof Exports).status(len, now),
  read(machine) {
    const bytes = machine.bytes();
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const [more = 0, waiting = 0, fence] = Array.from({ length: COUNTS }, (_, at) => view.getFloat64(8 * at, true));
    const [key, ...holders] = found(bytes.subarray(8 * COUNTS));
    const [own = null] = held(key ? [key] : []);
    return { isShared: own?.value === SHARED, held: own, holders: held(holders), more, waiting, fence: fence || undefined };
  },
};
