import { amount, checked, refuse, type Kind } from "../check.js";
import { ArgumentError } from "../errors.js";
import type { Node } from "../options.js";
import type { Packer } from "../pack.js";

/** Who must have a grant besides the server that gave it, before the lock counts as obtained or refreshed. */
export type Acks = {
  /**
   * How long that may take, in milliseconds. A connection does nothing else meanwhile. At most a quarter of `requestTimeout` and of the
   * `ttl`, which is the default, and at least 1 ms.
   */
  within?: number | undefined;
} & (
  | { /** That many replicas have received it, at least 1 (`WAIT`). */ received: number; persisted?: undefined }
  | {
      /**
       * The server and that many replicas have written it to their append-only files on disk; 0: only the server (`WAITAOF`, Redis
       * 7.2 and Valkey). A server without such a file is refused while connecting.
       */
      persisted: number;
      received?: undefined;
    }
);

/** A fraction is refused: rounded down, it would be less than was requested. */
function replicas(least: number): Kind {
  return (value, name) => (Number.isInteger(value) && value >= least && value < 2 ** 32 ? value : refuse(name, `a whole number of at least ${least}`, value));
}

/** @internal */
export const acks: Kind = (value, name) => {
  const kept = checked(value, name, { received: replicas(1), persisted: replicas(0), within: amount });
  if ("received" in kept === "persisted" in kept) {
    throw new ArgumentError("bad_option", `${name} must have received, or persisted`);
  }
  return kept;
};

/** @internal In the order of `bindings/wasm/src/pack.rs`. */
export function packAcks(packer: Packer, acks: Acks | undefined): void {
  packer
    .byte(acks ? (acks.persisted === undefined ? 1 : 2) : 0)
    .word(acks ? (acks.received ?? acks.persisted) : 0)
    .time(acks?.within);
}

/** @internal */
export function refuseLent(nodes: readonly Node[], acks: Acks | undefined): void {
  if (acks && nodes.some(({ lent }) => lent)) {
    throw new ArgumentError("acks_over_client", "an existing client may use several connections, which do not wait for each other: give a URL, or leave out acks");
  }
}
