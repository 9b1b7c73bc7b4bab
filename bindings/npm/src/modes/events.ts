import type { Bytes } from "../check.js";
import type { ConnectOptions as Plain, TenureEvent as PlainEvent } from "../options.js";
import type { NotChangedCode } from "./errors.js";
import type { Mode } from "./mode.js";

/** Something that happened: for logs and metrics. Tokens and passwords are never in it. */
export type TenureEvent =
  | PlainEvent
  | { type: "changed"; keys: readonly Bytes[]; /** The mode from now on. */ mode: Mode; /** In milliseconds. */ remaining: number }
  | { type: "not_changed"; keys: readonly Bytes[]; reason: NotChangedCode; /** Of a server. */ fault?: string | undefined };

/** How to connect. */
export interface ConnectOptions extends Omit<Plain, "onEvent"> {
  /** Called after each event. Default: none. */
  onEvent?: ((event: TenureEvent) => void) | undefined;
}
