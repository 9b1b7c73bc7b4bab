import type { Bytes } from "./check.js";
import type { Driver } from "./driver.js";

/** Which of several engines a key belongs to, by the name of its lane. Nothing if there is one for all. */
export type LaneOf = ((key: Uint8Array) => string) | undefined;

/**
 * The engines of one `Locker`. Mostly one. A client for a cluster stands for many servers of which each answers by itself, so
 * that each of its masters has a lane: an engine with a connection of its own, whose answers wait for nobody else's. Which lane
 * a key belongs to is looked up for each lock; a lock stays in its lane when its slot moves, and the client sends its commands
 * where they belong.
 */
export class Fleet {
  readonly #laneOf: LaneOf;
  readonly #whole: (key: Bytes) => Uint8Array;
  readonly #open: (key: Uint8Array) => Driver;
  /** By the names of their lanes. The first has none: it shows that enough servers are there. */
  readonly #drivers = new Map<string | undefined, Driver>();
  #keeps = true;
  #isClosed = false;

  /** `whole` puts the prefix in front of a key. */
  constructor(first: Driver, laneOf: LaneOf, whole: (key: Bytes) => Uint8Array, open: (key: Uint8Array) => Driver) {
    this.#drivers.set(undefined, first);
    this.#laneOf = laneOf;
    this.#whole = whole;
    this.#open = open;
  }

  of([key = ""]: readonly Bytes[]): Driver {
    const whole = this.#laneOf && this.#whole(key);
    const lane = whole && this.#laneOf?.(whole);
    let driver = this.#drivers.get(lane);
    if (driver === undefined && this.#isClosed) {
      driver = this.#drivers.get(undefined);
    }
    if (driver === undefined) {
      driver = this.#open(whole as Uint8Array);
      driver.keep(this.#keeps);
      this.#drivers.set(lane, driver);
    }
    return driver;
  }

  keep(keeps: boolean): void {
    this.#keeps = keeps;
    this.#drivers.forEach((driver) => driver.keep(keeps));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#drivers.values()].map((driver) => driver.close()));
  }
}
