import type { Bytes } from "../check.js";
import type { ConnectOptions as Plain, TenureEvent as PlainEvent } from "../options.js";
import type { Acks } from "./acks.js";
import type { NotChangedCode } from "./errors.js";
import type { Mode } from "./mode.js";

/** Something that happened: for logs and metrics. Tokens and passwords are never in it. */
export type TenureEvent =
  | PlainEvent
  | { type: "changed"; keys: readonly Bytes[]; /** The mode from now on. */ mode: Mode; /** In milliseconds. */ remaining: number }
  | { type: "not_changed"; keys: readonly Bytes[]; reason: NotChangedCode; /** Of a server. */ fault?: string | undefined };

/** How to connect. */
export interface ConnectOptions extends Omit<Plain, "onEvent"> {
  /**
   * Whom a grant must have reached besides its server, so that a failover does not lose it: `{ received: 1 }`, one replica. Until
   * then a lock is not reported as obtained or refreshed, and a request that reaches too few gives its keys back at its end:
   * `unreachable` with the fault `no_replicas`. This time comes out of the lease, which counts from the request as always.
   *
   * A failover to a replica that has the grant keeps the lock, but no failover promises to choose it. So only a number that includes
   * every replica is certain, and then a replica that is down stops all grants. With several servers each waits for its own.
   * It is no substitute for a `fence`, and a `token` of your own is refused.
   *
   * Rejected with a `ConnectError` if a server cannot wait for replicas, and with an `ArgumentError`, `acks_over_client`, for
   * what comes from `tenure/clients`. Default: none.
   */
  acks?: Acks | undefined;
  /** Called after each event. Default: none. */
  onEvent?: ((event: TenureEvent) => void) | undefined;
}
