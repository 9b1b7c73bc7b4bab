import type * as Exports from "../../generated/modes/exports.js";
import type { Cell } from "../cell.js";
import type { Driver } from "../driver.js";
import { Todo, type Machine } from "../machine.js";
import { ModeError, type NotChangedCode } from "./errors.js";
import type { TenureEvent } from "./events.js";
import { isShared, modeOf, type Mode } from "./mode.js";

/** What `bindings/wasm/src/codes.rs` calls a lock that has ended. */
const NOT_HELD = 0;

/** Requests a change from reader to writer, or back. */
export function change(driver: Driver, cell: Cell, up: boolean): Promise<void> {
  const ended = driver.request(
    cell,
    (cell.changing ??= []),
    (engine, now) => (engine as typeof Exports).change(cell.id, Number(up), now),
    (code) => (code === NOT_HELD ? cell.error() : ModeError.refused(cell.keys, code)),
  );
  // Before anybody has answered: a lock that shares its key has no fence.
  if (isShared(modeOf(driver, cell))) {
    cell.fence = 0;
  }
  return ended;
}

/** A lock has changed its mode, or it has not: the record says which. Returns the event. */
export function changed(driver: Driver, cell: Cell, todo: number, machine: Machine): () => TenureEvent {
  const { keys } = cell;
  const waiters = cell.changing?.splice(0) ?? [];
  if (todo === Todo.CHANGED) {
    cell.fence = machine.first();
    waiters.forEach((waiter) => waiter.resolve());
    return () => ({ type: "changed", keys, mode: modeOf(driver, cell) as Mode, remaining: driver.remaining(cell) });
  }
  const error = ModeError.notChanged(keys, machine.first(), machine.why(machine.second()));
  waiters.forEach((waiter) => waiter.reject(error));
  return () => ({ type: "not_changed", keys, reason: error.code as NotChangedCode, fault: error.fault });
}
