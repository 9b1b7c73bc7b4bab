import { ClosedError, ConnectError, EngineError, type Why } from "./errors.js";
import type { Waiter } from "./cell.js";

/** What is known of the servers, for those who wait until enough of them are ready, and for logs. */
export class Nodes {
  readonly #addresses: readonly string[];
  readonly #needed: number;
  readonly #health: (true | string | undefined)[];
  #waiters: Waiter<void>[] = [];

  constructor(addresses: readonly string[], needed: number) {
    this.#addresses = addresses;
    this.#needed = needed;
    this.#health = addresses.map(() => undefined);
  }

  address(node: number): string {
    return this.#addresses[node] ?? "";
  }

  /** Until enough servers are ready, or too many have failed since they were last ready. */
  enough(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#look();
    });
  }

  isReady(node: number): boolean {
    return this.#health[node] === true;
  }

  ready(node: number): void {
    this.#health[node] = true;
    this.#look();
  }

  /** `error` is what the connection said, which says more than that it is gone. */
  down(node: number, why: Why, error: string | undefined): void {
    this.#health[node] = (why.fault === "disconnected" && error) || why.text;
    this.#look();
  }

  end(error: ClosedError | EngineError): void {
    this.#waiters.splice(0).forEach((waiter) => waiter.reject(error));
  }

  #look(): void {
    if (this.#waiters.length === 0) {
      return;
    }
    const ready = this.#health.filter((health) => health === true).length;
    if (ready >= this.#needed) {
      return this.#waiters.splice(0).forEach((waiter) => waiter.resolve());
    }
    const failures = new Map<string, string>();
    this.#health.forEach((health, node) => {
      if (typeof health === "string") {
        failures.set(this.address(node), health);
      }
    });
    if (this.#health.length - failures.size < this.#needed) {
      const error = new ConnectError(this.#needed, ready, failures);
      this.#waiters.splice(0).forEach((waiter) => waiter.reject(error));
    }
  }
}
