import { Cell, type Released, type Waiter } from "./cell.js";
import type { Clock } from "./clock.js";
import { ClosedError, EngineError, InspectError, NotObtainedError, lossOf, reasonOf, refusal, type LockLostCode, type Why } from "./errors.js";
import { Link, type Dial, type Owner } from "./link.js";
import { Machine, Todo } from "./machine.js";
import { Nodes } from "./nodes.js";
import { Supply, packKeys, packObtain, type Bytes, type ObtainOptions, type TenureEvent } from "./options.js";
import type { Packer } from "./pack.js";

/**
 * Timers of some runtimes stand still while the machine is suspended. Whoever waits for the end of a lease is told at
 * most this long after the machine has resumed.
 */
const LONGEST_SLEEP_MS = 1_000;

/** How many commands of one turn go out together: while the servers work on these, the program goes on with the next. */
const TOGETHER = 32;

const NOW = Promise.resolve();

/** In the order of `bindings/wasm/src/codes.rs`. */
const PROOFS: readonly Released[] = ["confirmed", "missing", "unconfirmed", "shared", "expired"];

/** The values of some keys, as an inspection found them. */
export type Found = { remaining: number; value: Uint8Array }[];

/** What a driver is made of. */
export interface Setup {
  machine: Machine;
  clock: Clock;
  packer: Packer;
  dials: readonly Dial[];
  nodes: Nodes;
  onEvent: ((event: TenureEvent) => void) | undefined;
}

/** Moves bytes, time and events between one engine and the world, and understands none of them. */
export class Driver implements Owner {
  readonly clock: Clock;
  readonly nodes: Nodes;
  readonly #machine: Machine;
  readonly #links: Link[];
  readonly #cells = new Map<bigint, Cell>();
  readonly #inspections = new Map<bigint, Waiter<Found>>();
  readonly #packer: Packer;
  readonly #supply = new Supply();
  readonly #onEvent: ((event: TenureEvent) => void) | undefined;
  #stage: "open" | "closing" | "ended" = "open";
  /** What the engine trapped with. */
  #failure: EngineError | undefined;
  readonly #ended: Promise<void>;
  #end!: () => void;
  /** When the engine wants to be called, and when the timer fires; in microseconds, negative for never. */
  #deadline = -1;
  #armed = -1;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #scheduled = false;
  /** Commands since the engine was last asked what to do. */
  #wanted = 0;
  #running = false;
  /** What runs the user's code, and so has to wait until the engine has said all it has to say. */
  #later: (() => void)[] = [];

  constructor(setup: Setup) {
    this.#machine = setup.machine;
    this.clock = setup.clock;
    this.#packer = setup.packer;
    this.nodes = setup.nodes;
    this.#onEvent = setup.onEvent;
    this.#links = setup.dials.map((dial, node) => new Link(node, dial, this));
    this.#ended = new Promise((resolve) => (this.#end = resolve));
    this.#schedule();
  }

  /** Starts to obtain a lock. Whoever waits for it is put into the cell before anything else can happen. */
  obtain(keys: readonly Bytes[], options: ObtainOptions): Cell {
    const token = options.token ?? this.#supply.draw();
    const packed = packObtain(this.#packer, keys, token, options);
    const id = this.#start((len, now) => this.#machine.engine.obtain(len, now), packed);
    const cell = new Cell(id, keys, token);
    this.#cells.set(id, cell);
    return cell;
  }

  inspect(keys: readonly Bytes[]): Promise<Found> {
    const packed = packKeys(this.#packer.start(), keys);
    const id = this.#start((len, now) => this.#machine.engine.inspect(len, now), packed);
    return new Promise((resolve, reject) => this.#inspections.set(id, { resolve, reject }));
  }

  refresh(cell: Cell, ttl: number | undefined): Promise<void> {
    if (cell.lost !== undefined) {
      return Promise.reject(cell.error());
    }
    const fits = this.#command((now) => this.#machine.engine.refresh(cell.id, ttl ?? -1, now));
    if (!fits) {
      return Promise.reject(refusal(this.#machine.code()));
    }
    return new Promise((resolve, reject) => cell.refreshing.push({ resolve, reject }));
  }

  /** How long a lock is still ours, in milliseconds. A ttl that was asked to be shorter counts before anybody has answered. */
  remaining(cell: Cell): number {
    const until = cell.lost === undefined ? this.#machine.engine.expires(cell.id) : 0;
    return Math.max(0, (until - this.clock.now()) / 1_000);
  }

  /** Lets go of a lock in whatever state it is. */
  release(cell: Cell): void {
    if (this.#stage !== "ended" && this.#cells.has(cell.id)) {
      this.#command((now) => this.#machine.engine.release(cell.id, now));
    }
  }

  /** Releases everything, and ends. */
  close(): Promise<void> {
    if (this.#stage === "open") {
      this.#stage = "closing";
      for (const cell of this.#cells.values()) {
        // The release may be carried out at any moment.
        cell.lost ??= "closed";
        this.#later.push(() => cell.tell());
      }
      this.#command((now) => this.#machine.engine.close(now));
    }
    return this.#ended;
  }

  linked(node: number): void {
    this.#input((now) => this.#machine.engine.connected(node, now));
  }

  received(node: number, bytes: Uint8Array): void {
    this.#input((now) => this.#machine.engine.received(node, this.#machine.hand(bytes), now));
  }

  unlinked(node: number): void {
    this.#input((now) => this.#machine.engine.disconnected(node, now));
  }

  #start(begin: (len: number, now: number) => number, packed: Uint8Array): bigint {
    if (this.#stage !== "open") {
      throw this.#failure ?? new ClosedError();
    }
    const begun = this.#command((now) => begin(this.#machine.hand(packed), now));
    if (!begun) {
      throw refusal(this.#machine.code());
    }
    return this.#machine.id();
  }

  /** Gives the engine something to do. What is wanted in one turn of the event loop goes out together, up to a limit. */
  #command<T>(command: (now: number) => T): T {
    const now = this.clock.now();
    if (this.#wanted === TOGETHER) {
      // Nothing is told here: it would run the user's code in the middle of a call.
      this.#drain(now);
    }
    this.#wanted += 1;
    const result = this.#guard(() => command(now));
    this.#schedule();
    return result;
  }

  #flush = () => {
    this.#scheduled = false;
    this.#run(this.clock.now());
  };

  #schedule(): void {
    if (!this.#scheduled) {
      this.#scheduled = true;
      // As `queueMicrotask` does, which is slower in Node.
      void NOW.then(this.#flush);
    }
  }

  /** Tells the engine what happened, and does at once what it says to that. */
  #input(input: (now: number) => void): void {
    if (this.#stage === "ended") {
      return;
    }
    const now = this.clock.now();
    this.#quietly(() => input(now));
    this.#run(now);
  }

  /** When there is nobody to tell of a trap but those who are told anyway. */
  #quietly(step: () => void): void {
    try {
      this.#guard(step);
    } catch {
      // They were told.
    }
  }

  /** A trap leaves the module in a state that nobody knows: this engine is over. */
  #guard<T>(step: () => T): T {
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
    try {
      return step();
    } catch (cause) {
      this.#failure = new EngineError(cause);
      this.#finish("engine_failed");
      throw this.#failure;
    }
  }

  /** Does what the engine says, and then tells it to the user's code. */
  #run(now: number): void {
    if (!this.#running) {
      this.#drain(now);
      this.#tellAll();
    }
  }

  /** Takes all that the engine has to say. */
  #drain(now: number): void {
    if (this.#running || this.#stage === "ended") {
      return;
    }
    this.#running = true;
    this.#wanted = 0;
    this.#supply.drop();
    this.#quietly(() => {
      const { engine } = this.#machine;
      if (this.#deadline >= 0 && now >= this.#deadline) {
        engine.timeout(now);
      }
      for (let todo = this.#machine.poll(); todo !== Todo.TIMEOUT; todo = this.#machine.poll()) {
        this.#act(todo);
      }
      this.#deadline = this.#machine.first();
      if (this.#stage === "closing" && engine.drained()) {
        this.#finish("closed");
      }
    });
    this.#running = false;
    this.#arm();
  }

  #act(todo: number): void {
    const machine = this.#machine;
    switch (todo) {
      case Todo.CONNECT:
        return this.#links[machine.node()]?.open();
      case Todo.DISCONNECT:
        return this.#links[machine.node()]?.close();
      case Todo.TRANSMIT:
        return this.#links[machine.node()]?.send(machine.bytes());
      case Todo.NODE_READY:
        return this.#ready(machine.node(), machine.first() !== 0);
      case Todo.NODE_DOWN:
        return this.#down(machine.node(), machine.why(machine.first()) as Why);
      case Todo.INSPECTED:
        return this.#inspected(machine.id());
      default: {
        const cell = this.#cells.get(machine.id());
        return cell && this.#lock(todo, cell);
      }
    }
  }

  #lock(todo: number, cell: Cell): void {
    const machine = this.#machine;
    const { keys } = cell;
    if (todo === Todo.OBTAINED || todo === Todo.REFRESHED) {
      const expiresAt = machine.first();
      if (todo === Todo.OBTAINED) {
        cell.held();
      } else if (machine.second() !== 0) {
        cell.refreshed();
      }
      const type = todo === Todo.OBTAINED ? "obtained" : "refreshed";
      return this.#tell(() => ({ type, keys, remaining: (expiresAt - this.clock.now()) / 1_000 }));
    }
    this.#cells.delete(cell.id);
    if (todo === Todo.NOT_OBTAINED) {
      const reason = reasonOf(machine.first());
      // Withdrawn while somebody still waits for it: by closing.
      const why = reason === "taken" ? undefined : machine.why(machine.second());
      const error = reason === "withdrawn" ? new ClosedError() : new NotObtainedError(machine.first(), machine.second(), why);
      cell.notObtained(error);
      return this.#tell(() => ({ type: "not_obtained", keys, reason, fault: why?.fault }));
    }
    const lost = todo === Todo.LOST && lossOf(machine.first());
    if (lost) {
      // Also if its owner has just released it: the engine says so when it was over before.
      cell.lost = lost;
      cell.why = machine.why(machine.second());
    }
    const proof = lost ? endOf(lost) : (PROOFS[machine.first()] as Released);
    cell.over("released", proof);
    if (lost) {
      this.#later.push(() => cell.tell());
    }
    this.#tell(() => ({ type: lost ? "lost" : "released", keys, reason: lost || proof, fault: cell.why?.fault }));
  }

  #inspected(id: bigint): void {
    const waiter = this.#inspections.get(id);
    this.#inspections.delete(id);
    const bytes = this.#machine.bytes();
    const why = this.#machine.why(this.#machine.first());
    if (why) {
      return waiter?.reject(new InspectError(why));
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const found: Found = [];
    for (let at = 0; at < bytes.length; ) {
      const remaining = view.getFloat64(at, true);
      const end = at + 12 + view.getUint32(at + 8, true);
      found.push({ remaining, value: bytes.slice(at + 12, end) });
      at = end;
    }
    waiter?.resolve(found);
  }

  #ready(node: number, tracking: boolean): void {
    this.nodes.ready(node);
    this.#tell(() => ({ type: "node_ready", address: this.nodes.address(node), tracking }));
  }

  #down(node: number, why: Why): void {
    this.nodes.down(node, why, this.#links[node]?.error);
    this.#tell(() => ({ type: "node_down", address: this.nodes.address(node), reason: why.fault }));
  }

  #tell(event: () => TenureEvent): void {
    const told = this.#onEvent;
    if (told === undefined) {
      return;
    }
    const happened = event();
    this.#later.push(() => {
      try {
        told(happened);
      } catch (error) {
        // The driver must go on; the error goes where errors of timers go.
        queueMicrotask(() => {
          throw error;
        });
      }
    });
  }

  #tellAll(): void {
    if (this.#later.length > 0) {
      this.#later.splice(0).forEach((tell) => tell());
    }
  }

  /** Nothing will come from the engine any more. */
  #finish(why: "closed" | "engine_failed"): void {
    this.#stage = "ended";
    clearTimeout(this.#timer);
    this.#links.forEach((link) => link.close());
    const error = this.#failure ?? new ClosedError();
    for (const cell of this.#cells.values()) {
      cell.notObtained(error);
      cell.over(why, "unconfirmed");
      this.#later.push(() => cell.tell());
    }
    this.#cells.clear();
    this.#inspections.forEach((waiter) => waiter.reject(error));
    this.#inspections.clear();
    this.nodes.end(error);
    this.#end();
    // Outside of a run there is nobody else to do it.
    queueMicrotask(() => this.#tellAll());
  }

  /** Sets the timer. A deadline that moves away leaves it as it is: one early call is cheaper. */
  #arm(): void {
    const isSoonEnough = this.#armed >= 0 && this.#armed <= this.#deadline;
    if (this.#stage === "ended" || this.#deadline < 0 || isSoonEnough) {
      return;
    }
    const now = this.clock.now();
    const wakeAt = Math.min(this.#deadline, now + LONGEST_SLEEP_MS * 1_000);
    clearTimeout(this.#timer);
    this.#armed = wakeAt;
    this.#timer = setTimeout(() => {
      this.#armed = -1;
      // The clock is asked, not the timer.
      this.#run(this.clock.now());
    }, Math.max(0, Math.ceil((wakeAt - now) / 1_000)));
  }
}

/** What a release of a lock that was lost before has found. If a server refused, the key may still be there. */
function endOf(loss: LockLostCode): Released {
  const found: Partial<Record<LockLostCode, Released>> = { taken: "missing", expired: "expired", max_hold: "expired" };
  return found[loss] ?? "unconfirmed";
}
