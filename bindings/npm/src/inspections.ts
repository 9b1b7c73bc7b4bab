import { CUT, type Waiter } from "./cell.js";
import type { Bytes } from "./check.js";
import { isCut } from "./ends.js";
import { InspectError } from "./errors.js";
import type { Machine } from "./machine.js";

/** What an engine is asked about keys: how, and where its record has the result. */
export interface Question<T> {
  ask(engine: Machine["engine"], len: number, now: number): number;
  read(machine: Machine): T;
}

interface Asked extends Waiter<any> {
  keys: readonly Bytes[];
  /** See the cell. */
  cuts: number | undefined;
  read(machine: Machine): unknown;
}

/** The inspections of one engine that have not ended. */
export class Inspections {
  readonly #asked = new Map<bigint, Asked>();

  get size(): number {
    return this.#asked.size;
  }

  result<T>(id: bigint, keys: readonly Bytes[], cuts: number | undefined, { read }: Question<T>): Promise<T> {
    return new Promise((resolve, reject) => this.#asked.set(id, { resolve, reject, keys, cuts, read }));
  }

  /** The one that the record is about has ended. */
  ended(machine: Machine, cuts: number): void {
    const id = machine.id();
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    const why = machine.why(machine.first());
    if (why) {
      asked?.reject(isCut(why, asked.cuts, cuts) ? CUT : new InspectError(asked.keys, why));
    } else {
      asked?.resolve(asked.read(machine));
    }
  }

  /** None will end. */
  over(error: (keys: readonly Bytes[]) => unknown): void {
    this.#asked.forEach((asked) => asked.reject(error(asked.keys)));
    this.#asked.clear();
  }
}
