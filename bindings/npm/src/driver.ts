import { Alarm } from "./alarm.js";
import { Cell, type Waiter } from "./cell.js";
import type { Clock } from "./clock.js";
import { ended } from "./ends.js";
import { ClosedError, EngineError, refusal, type Why } from "./errors.js";
import { Later } from "./guard.js";
import { Inspections, type Question } from "./inspections.js";
import { Link, type Owner } from "./link.js";
import { type Machine, Todo } from "./machine.js";
import { changed } from "./modes/change.js";
import type { TenureEvent } from "./modes/events.js";
import { Nodes } from "./nodes.js";
import { Supply, packKeys, packObtain, type Bytes, type ObtainOptions } from "./options.js";
import type { Packer } from "./pack.js";
import type { Setup } from "./setup.js";

/** A deadline that has just passed when something comes in is due at once: timers are not that exact. */
const TICK_US = 2_000;

/** How many commands of one turn go out together: while the servers work on these, the program goes on with the next. */
const TOGETHER = 32;

/**
 * Moves bytes, time and events between one engine and the world, and understands none of them.
 *
 * Whatever is thrown in a step of the engine ends the engine. So code that is not ours never runs inside of one: it waits
 * in `later`, or is one of a wire, which a `Link` guards.
 */
export class Driver implements Owner {
  readonly clock: Clock;
  readonly nodes: Nodes;
  readonly #machine: Machine;
  readonly #links: Link[];
  readonly #cells = new Map<bigint, Cell>();
  readonly #inspections = new Inspections();
  readonly #packer: Packer;
  readonly #supply = new Supply();
  readonly #onEvent: ((event: TenureEvent) => void) | undefined;
  #stage: "open" | "closing" | "ended" = "open";
  /** What the engine trapped with. */
  #failure: EngineError | undefined;
  readonly #ended: Promise<void>;
  #end!: () => void;
  /** When the engine wants to be called, in microseconds; negative for never. */
  #deadline = -1;
  readonly #alarm: Alarm;
  /** How many connections that were in use have broken. */
  #cuts = 0;
  /** How often something came in. */
  #inputs = 0;
  /** Whether to keep the process alive even while nothing is held or requested, and whether it is kept alive now. */
  #keeps = true;
  #holds = true;
  #scheduled = false;
  /** Commands since the engine was last asked what to do. */
  #wanted = 0;
  #running = false;
  /** What runs the user's code. */
  readonly later = new Later();

  constructor(setup: Setup) {
    this.#machine = setup.machine;
    this.clock = setup.clock;
    this.#packer = setup.packer;
    this.nodes = setup.nodes;
    this.#onEvent = setup.onEvent;
    this.#links = setup.dials.map((dial, node) => new Link(node, dial, this));
    this.#ended = new Promise((resolve) => (this.#end = resolve));
    this.#alarm = new Alarm(this.#due, () => this.#inputs, setup.turn);
    this.#schedule();
  }

  /** Starts to obtain a lock. Its promise is put into the cell before anything else can happen. */
  obtain(keys: readonly Bytes[], options: ObtainOptions, isFirst: boolean): Cell {
    this.#open();
    const token = options.token ?? this.#supply.draw();
    const packed = packObtain(this.#packer, keys, token, options);
    const id = this.#start((len, now) => this.#machine.engine.obtain(len, now), packed);
    const cell = new Cell(id, keys, token);
    cell.cuts = isFirst ? this.#cuts : undefined;
    this.#cells.set(id, cell);
    return cell;
  }

  inspect<T>(keys: readonly Bytes[], isFirst: boolean, question: Question<T>): Promise<T> {
    this.#open();
    const packed = packKeys(this.#packer.start(), keys);
    const id = this.#start((len, now) => question.ask(this.#machine.engine, len, now), packed);
    return this.#inspections.result(id, keys, isFirst ? this.#cuts : undefined, question);
  }

  /** Requests something of a held lock, for which its caller then waits. What the engine refuses at once is an error by its code. */
  request(cell: Cell, waiters: Waiter<void>[], ask: (engine: Machine["engine"], now: number) => number, refused: (code: number) => Error): Promise<void> {
    if (this.remaining(cell) === 0) {
      return Promise.reject(cell.error());
    }
    const fits = this.#command((now) => ask(this.#machine.engine, now));
    if (!fits) {
      return Promise.reject(this.#failure ? this.#over(cell.keys) : refused(this.#machine.code()));
    }
    if (cell.lost !== undefined) {
      // What the engine had to say before that has ended it.
      return Promise.reject(cell.error());
    }
    return new Promise((resolve, reject) => waiters.push({ resolve, reject }));
  }

  /** Reads something of a lock from the engine. Nothing once it has ended. */
  look<T>(cell: Cell, read: (engine: Machine["engine"]) => T): T | undefined {
    return cell.lost === undefined ? this.#guard(() => read(this.#machine.engine)) : undefined;
  }

  /** Lets the lease of a lock run out unless it is refreshed by hand. */
  stopRenewing(cell: Cell): void {
    if (cell.lost === undefined) {
      this.#command((now) => this.#machine.engine.stop_renewing(cell.id, now));
    }
  }

  /** How long a lock is still ours, in milliseconds. A ttl that was asked to be shorter counts before anybody has answered. */
  remaining(cell: Cell): number {
    const until = this.look(cell, (engine) => engine.expires(cell.id));
    return Math.max(0, ((until ?? 0) - this.clock.now()) / 1_000);
  }

  /** Releases a lock in any state. */
  release(cell: Cell): void {
    this.#caughtUp(() => {
      if (this.#stage !== "ended" && this.#cells.has(cell.id)) {
        this.#command((now) => this.#machine.engine.release(cell.id, now));
      }
    });
  }

  /** Nothing, or until the program has caught up with what came while it stood still: see the alarm. */
  behind(): Promise<void> | undefined {
    return this.#alarm.behind(this.clock.now());
  }

  #caughtUp(then: () => void): void {
    void (this.behind()?.then(then) ?? then());
  }

  /** Releases everything, and ends. */
  close(): Promise<void> {
    if (this.#stage === "open") {
      this.#stage = "closing";
      for (const cell of this.#cells.values()) {
        // The release may be carried out at any moment.
        cell.lost ??= "closed";
        this.later.add(() => cell.abort());
      }
      this.#caughtUp(() => this.#command((now) => this.#machine.engine.close(now)));
    }
    return this.#ended;
  }

  /** Whether to keep the process alive even while nothing is held or requested. */
  keep(keeps: boolean): void {
    this.#keeps = keeps;
    this.#hold();
  }

  linked(node: number): void {
    this.#input((now) => this.#machine.engine.connected(node, now));
  }

  received(node: number, bytes: Uint8Array): void {
    this.#input((now) => this.#machine.engine.received(node, this.#machine.hand(bytes), now));
  }

  unlinked(node: number): void {
    this.#cuts += this.nodes.isReady(node) ? 1 : 0;
    this.#input((now) => this.#machine.engine.disconnected(node, now));
  }

  #open(): void {
    if (this.#stage !== "open") {
      throw this.#over();
    }
  }

  #start(begin: (len: number, now: number) => number, packed: Uint8Array): bigint {
    const begun = this.#command((now) => begin(this.#machine.hand(packed), now));
    if (!begun) {
      throw this.#failure ? this.#over() : refusal(this.#machine.code());
    }
    return this.#machine.id();
  }

  /** Gives the engine something to do. What is wanted in one turn goes out together, up to a limit. */
  #command<T>(command: (now: number) => T): T | undefined {
    const now = this.clock.now();
    if (this.#wanted === TOGETHER) {
      // Nothing is reported here: that would run the user's code in the middle of a call.
      this.#drain(now);
    }
    this.#wanted += 1;
    const result = this.#guard(() => command(this.#time(now, 0)));
    this.#schedule();
    return result;
  }

  /**
   * The time for the engine. When a deadline has passed, earlier input may still be in a socket. Until that is processed,
   * the engine sees a time just before the deadline. Leases that are counted from then end early, which is safe.
   */
  #time(now: number, slack: number): number {
    return this.#deadline >= 0 && now >= this.#deadline + slack ? this.#deadline - 1 : now;
  }

  #flush = () => {
    this.#scheduled = false;
    this.#run(this.clock.now());
  };

  #schedule(): void {
    if (!this.#scheduled) {
      this.#scheduled = true;
      // As `queueMicrotask` does, which is slower in Node.
      void Promise.resolve().then(this.#flush);
    }
  }

  /** Passes input to the engine, and carries out its output at once. */
  #input(input: (now: number) => void): void {
    if (this.#stage === "ended") {
      return;
    }
    this.#inputs += 1;
    const now = this.clock.now();
    const time = this.#time(now, TICK_US);
    this.#guard(() => input(time));
    if (this.#deadline >= 0 && time >= this.#deadline) {
      this.#guard(() => this.#machine.engine.timeout(time));
    }
    this.#run(now);
  }

  /** The deadline has passed, and all that came before is taken in. The clock is asked, not the timer. */
  #due = () => {
    const now = this.clock.now();
    if (this.#stage !== "ended" && now >= this.#deadline) {
      this.#guard(() => this.#machine.engine.timeout(now));
    }
    this.#run(now);
  };

  /** A step of the engine. What is thrown in it leaves the module in a state that nobody knows: then this engine is over. */
  #guard<T>(step: () => T): T | undefined {
    if (this.#failure === undefined) {
      try {
        return step();
      } catch (cause) {
        this.#failure = new EngineError(cause);
        this.#finish("engine_failed");
      }
    }
    return undefined;
  }

  /** Carries out the output of the engine, and then reports events to the user's code. */
  #run(now: number): void {
    if (!this.#running) {
      this.#drain(now);
      this.later.run();
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
    this.#guard(() => {
      for (let todo = this.#machine.poll(); todo !== Todo.TIMEOUT; todo = this.#machine.poll()) {
        this.#act(todo);
      }
      this.#deadline = this.#machine.first();
      if (this.#stage === "closing" && this.#machine.engine.drained()) {
        this.#finish("closed");
      }
    });
    this.#running = false;
    this.#rest(now);
  }

  /** Until something happens, or the deadline. */
  #rest(now: number): void {
    if (this.#stage !== "ended") {
      this.#hold();
      this.#alarm.set(this.#deadline, now);
    }
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
        return this.#inspections.ended(machine, this.#cuts);
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
        // Taken in too late, after the program stood still: then its end comes next.
        if (expiresAt <= this.clock.now()) {
          return;
        }
        cell.held(machine.second());
      } else if (machine.second() !== 0) {
        cell.refreshed();
      }
      const type = todo === Todo.OBTAINED ? "obtained" : "refreshed";
      return this.#tell(() => ({ type, keys, remaining: (expiresAt - this.clock.now()) / 1_000 }));
    }
    if (MODES && todo >= Todo.CHANGED) {
      return this.#tell(changed(this, cell, todo, machine));
    }
    this.#cells.delete(cell.id);
    const told = ended(cell, todo, machine, this.#cuts);
    if (told?.type === "lost") {
      this.later.add(() => cell.abort());
    }
    return told && this.#tell(() => ({ ...told, keys }));
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
    if (told !== undefined) {
      const happened = event();
      this.later.add(() => told(happened));
    }
  }

  /** Nothing will come from the engine from now on. */
  #finish(why: "closed" | "engine_failed"): void {
    this.#stage = "ended";
    this.#alarm.stop();
    this.#links.forEach((link) => link.close());
    for (const cell of this.#cells.values()) {
      cell.notObtained(this.#over(cell.keys));
      cell.over(why, "unconfirmed");
      this.later.add(() => cell.abort());
    }
    this.#cells.clear();
    this.#inspections.over((keys) => this.#over(keys));
    this.nodes.end(this.#over());
    this.#end();
    // Outside of a run there is nobody else to do it.
    queueMicrotask(() => this.later.run());
  }

  /** Why nothing can be requested from now on. Each caller gets an error of its own. */
  #over(keys?: readonly Bytes[]): EngineError | ClosedError {
    return this.#failure === undefined ? new ClosedError(keys) : new EngineError(this.#failure.cause, keys);
  }

  /** Keeps the process alive, or lets it end. */
  #hold(): void {
    const holds = this.#keeps || this.#stage === "closing" || this.#cells.size + this.#inspections.size > 0;
    if (holds !== this.#holds) {
      this.#holds = holds;
      this.#alarm.hold(holds);
      this.#links.forEach((link) => link.hold(holds));
    }
  }
}
