import { CUT, type Cell, type Released } from "./cell.js";
import { ClosedError, NotObtainedError, TOO_LATE, lossOf, reasonOf, type LockLostCode, type Why } from "./errors.js";
import { Todo, type Machine } from "./machine.js";
import { NotObtainedError as ModeError } from "./modes/errors.js";

/** In the order of `bindings/wasm/src/codes.rs`. */
const PROOFS: readonly Released[] = ["confirmed", "missing", "unconfirmed", "shared", "expired"];

/** How a lock ended, for `onEvent`. */
export interface End {
  type: "not_obtained" | "lost" | "released";
  reason: string;
  fault?: string | undefined;
}

/** A lock has ended, for the reason in the record. Nothing is reported if it is requested once more. `cuts`: see the cell. */
export function ended(cell: Cell, todo: number, machine: Machine, cuts: number): End | undefined {
  const { keys } = cell;
  const [first, second] = [machine.first(), machine.second()];
  if (todo === Todo.NOT_OBTAINED) {
    const reason = reasonOf(first);
    const why = reason === "taken" || (MODES && reason === "unsupported") ? undefined : machine.why(second);
    if (reason === "unreachable" && isCut(why, cell.cuts, cuts)) {
      cell.obtaining?.reject(CUT);
      return undefined;
    }
    // Cancelled while somebody still waits for it: by closing.
    cell.notObtained(reason === "cancelled" ? new ClosedError(keys) : new (MODES ? ModeError : NotObtainedError)(keys, first, second, why));
    return { type: "not_obtained", reason, fault: why?.fault };
  }
  if (cell.obtaining) {
    // The program stood still until its time was over.
    cell.notObtained(new (MODES ? ModeError : NotObtainedError)(keys, TOO_LATE, -1));
    return { type: "not_obtained", reason: reasonOf(TOO_LATE) };
  }
  if (todo === Todo.LOST) {
    // Also if its owner has just released it: the engine says so when it was over before.
    cell.lost = lossOf(first);
    cell.why = machine.why(second);
  }
  const lost = (todo === Todo.LOST || cell.lost === "expired") && cell.lost;
  const proof = lost ? endOf(lost) : (PROOFS[first] as Released);
  cell.over("released", proof);
  return { type: lost ? "lost" : "released", reason: lost || proof, fault: cell.why?.fault };
}

/** What a release of a lock that was lost before has found. If a server refused, the key may still be there. */
export function endOf(loss: LockLostCode): Released {
  const found: Partial<Record<LockLostCode, Released>> = { taken: "missing", expired: "expired", max_hold: "expired" };
  return found[loss] ?? "unconfirmed";
}

/** Whether a connection broke since then, and that is why. */
export function isCut(why: Why | undefined, then: number | undefined, now: number): boolean {
  return why?.fault === "disconnected" && then !== undefined && then < now;
}
