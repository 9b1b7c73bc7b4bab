// As they were when this was loaded. Tests put their own in place for a while, which never fire, and this goes on beside them.
const { setTimeout, clearTimeout, performance } = globalThis;

type Timer = ReturnType<typeof setTimeout>;

/**
 * Timers of some runtimes stand still while the machine is suspended. The end of a lease is reported at most this
 * long after the machine has resumed.
 */
const LONGEST_SLEEP_MS = 1_000;

/** How late a timer may be before it counts as lost: with the request of a Worker, or with somebody's fake timers. */
const LOST_US = 1_000_000;

/** From when on a deadline that has passed means that the program stood still. */
const BEHIND_US = 10_000;

/** How many turns of the event loop bring what lay in the sockets when a timer fired, and how many it may take at most. */
const [TURNS, MOST_TURNS] = [3, 64];

/** What is done in the next turn of the event loop, behind all input that is already there. */
export type Turn = (run: () => void) => unknown;

/** @internal */
export const nextTurn: Turn = (run) => setTimeout(run, 0);

/** Wakes the driver at its deadline, behind all input that came before: an answer that is there wins over a deadline. */
export class Alarm {
  readonly #ring: () => void;
  readonly #inputs: () => number;
  readonly #turn: Turn;
  /** When it was to fire, in microseconds; negative for never. */
  #at = -1;
  #timers: Timer[] = [];
  /** A timer was lost: perhaps it is ours that are fake. Then those of today are set, too, until one of ours fires. */
  #doubts = false;
  /** Whether it keeps the process alive. */
  #holds = true;
  /** Those who wait until all that came before a deadline is taken in. */
  #behind: (() => void)[] = [];

  /** `inputs` counts what came in. */
  constructor(ring: () => void, inputs: () => number, turn: Turn) {
    this.#ring = ring;
    this.#inputs = inputs;
    this.#turn = turn;
  }

  /** To ring at this time. A deadline that moves away leaves it as it is: one early call is cheaper. */
  set(deadline: number, now: number): void {
    const isLost = this.#at >= 0 && now > this.#at + LOST_US;
    const isSoonEnough = this.#at >= 0 && this.#at <= deadline;
    if (deadline < 0 || (isSoonEnough && !isLost)) {
      return;
    }
    this.#clear();
    const at = Math.min(deadline, now + LONGEST_SLEEP_MS * 1_000);
    this.#at = at;
    this.#doubts ||= isLost;
    const ms = Math.max(0, Math.ceil((at - now) / 1_000));
    const due = performance.now() + ms + BEHIND_US / 1_000;
    // After a stop there is more to take in, and some runtimes have it in another thread.
    const fire = () => this.#settle(at, performance.now() > due ? MOST_TURNS : TURNS, MOST_TURNS);
    const own = () => {
      this.#doubts = false;
      fire();
    };
    this.#timers = [setTimeout(own, ms), ...(this.#doubts ? [globalThis.setTimeout(fire, ms)] : [])];
    this.hold(this.#holds);
  }

  stop(): void {
    this.#clear();
    this.#behind.splice(0).forEach((go) => go());
  }

  /**
   * If the program stood still until after the deadline: waits until the input that arrived before is processed. A request
   * that starts sooner would see an old time, and could time out at once.
   */
  behind(now: number): Promise<void> | undefined {
    if (this.#at < 0 || now < this.#at + BEHIND_US) {
      return undefined;
    }
    this.#settle(this.#at, MOST_TURNS, MOST_TURNS, true);
    return new Promise((resolve) => this.#behind.push(resolve));
  }

  #clear(): void {
    this.#at = -1;
    this.#timers.splice(0).forEach((timer) => clearTimeout(timer));
  }

  /** Whether it keeps the process alive, on runtimes that have the choice. */
  hold(holds: boolean): void {
    this.#holds = holds;
    for (const timer of this.#timers) {
      holdTimer(timer, holds);
    }
  }

  /** Lets the event loop turn until no more input comes. */
  #settle(at: number, left: number, most: number, doubts = this.#doubts): void {
    const before = this.#inputs();
    let isOver = false;
    const next = () => {
      if (isOver || this.#at !== at) {
        return;
      }
      isOver = true;
      const turns = this.#inputs() === before ? left - 1 : TURNS;
      if (turns > 0 && most > 0) {
        return this.#settle(at, turns, most - 1, doubts);
      }
      this.#clear();
      this.#ring();
      this.#behind.splice(0).forEach((go) => go());
    };
    this.#turn(next);
    if (doubts) {
      globalThis.setTimeout(next, 0);
    }
  }
}

function holdTimer(timer: Timer, holds: boolean): void {
  const { Deno } = globalThis as { Deno?: { refTimer?(timer: Timer): void; unrefTimer?(timer: Timer): void } };
  if (typeof timer === "object") {
    holds ? timer.ref?.() : timer.unref?.();
  } else {
    holds ? Deno?.refTimer?.(timer) : Deno?.unrefTimer?.(timer);
  }
}
