import type * as Exports from "../../generated/modes/exports.js";
import type { Cell } from "../cell.js";
import { checked, count, refuse, type Kind } from "../check.js";
import type { Driver } from "../driver.js";
import type { ObtainOptions as Options } from "../options.js";
import type { Packer } from "../pack.js";

/**
 * Who may hold a key at the same time:
 *
 * - `exclusive`: one client, which takes the key whenever it is free;
 * - `write`: one client, which knows of readers, and waits in the order of requests;
 * - `read`: any number of clients;
 * - `permits`: at most so many clients.
 */
export type Mode = "exclusive" | "write" | "read" | { readonly permits: number };

/** How a lock is requested. */
export interface ObtainOptions extends Options {
  /**
   * Who else may hold the key. Every mode but `exclusive` has one key, waits in the order of requests, and needs one server, or
   * several with `arrangement: "ordered"`. Default: `exclusive`.
   */
  mode?: Mode | undefined;
}

const NAMES = ["exclusive", "write", "read"] as const;
const PERMITS = 3;

/** @internal */
export const mode: Kind = (value, name) => {
  if (typeof value === "object" && value !== null) {
    const { permits } = checked(value, name, { permits: count });
    return permits >= 1 ? { permits } : refuse(`${name}.permits`, "a number of at least 1", permits);
  }
  return NAMES.includes(value) ? value : refuse(name, '"exclusive", "write", "read" or { permits: a number }', value);
};

/** @internal In the order of `bindings/wasm/src/pack.rs`. */
export function packMode(packer: Packer, mode: Mode = "exclusive"): void {
  if (typeof mode === "object") {
    packer.byte(PERMITS).word(mode.permits);
  } else {
    packer.byte(NAMES.indexOf(mode)).word(0);
  }
}

/** @internal The mode of a held lock that may be relied on: the weaker one during a change. */
export function modeOf(driver: Driver, cell: Cell): Mode | undefined {
  const number = driver.look(cell, (engine) => (engine as typeof Exports).mode(cell.id)) ?? -1;
  return number > PERMITS ? { permits: number - PERMITS } : NAMES[number];
}

/** @internal Whether others may hold the key at the same time. */
export function isShared(mode: Mode | undefined): boolean {
  return mode === "read" || typeof mode === "object";
}
