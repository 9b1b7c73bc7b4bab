import type { Turn } from "./alarm.js";
import type { Clock } from "./clock.js";
import type { Dial } from "./link.js";
import type { Machine } from "./machine.js";
import type { Nodes } from "./nodes.js";
import type { TenureEvent } from "./modes/events.js";
import type { Packer } from "./pack.js";

/** What a driver is made of. */
export interface Setup {
  machine: Machine;
  clock: Clock;
  packer: Packer;
  dials: readonly Dial[];
  nodes: Nodes;
  turn: Turn;
  onEvent: ((event: TenureEvent) => void) | undefined;
}
