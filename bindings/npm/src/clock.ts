// As they were when this was loaded: tests put their own in place for a while, and leases go on.
const { performance, Date } = globalThis;
const [steadyNow, wallNow] = [performance.now.bind(performance), Date.now];

/** The wall clock is also corrected in small steps, and the two are not read at one moment; a suspend is longer. */
const SUSPEND_MS = 1_000;

/**
 * The clock that leases are measured with: steady, and put forward by what the wall clock saw and it did not.
 *
 * A lease goes on while the machine sleeps, and `performance.now()` stands still then on Linux and in some browsers. A
 * wall clock that is set forward by more than a second looks the same, and only makes leases end early.
 */
export class Clock {
  readonly #steady: () => number;
  readonly #wall: () => number;
  #lastSteady: number;
  #lastWall: number;
  #slept = 0;

  constructor(steady: () => number = steadyNow, wall: () => number = wallNow) {
    this.#steady = steady;
    this.#wall = wall;
    this.#lastSteady = steady();
    this.#lastWall = wall();
  }

  /** Whole microseconds since some moment. */
  now(): number {
    const steady = Math.max(this.#steady(), this.#lastSteady);
    const wall = this.#wall();
    const missed = wall - this.#lastWall - (steady - this.#lastSteady);
    if (missed > SUSPEND_MS) {
      this.#slept += missed;
    }
    this.#lastSteady = steady;
    this.#lastWall = wall;
    return Math.floor((steady + this.#slept) * 1_000);
  }
}
