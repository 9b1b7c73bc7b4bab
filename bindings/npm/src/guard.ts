/**
 * Runs code that is not ours: listeners, signals, streams, clients. What it throws is its own error, and neither the engine's nor
 * ours: it goes to `failed`, or where the errors of timers go.
 */
export function outside(run: () => unknown, failed: (error: unknown) => void = report): void {
  try {
    run();
  } catch (error) {
    failed(error);
  }
}

function report(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/** Code that is not ours and must not run in the middle of a step of the engine: in order, each on its own. */
export class Later {
  readonly #waiting: (() => unknown)[] = [];
  #running = false;

  add(run: () => unknown): void {
    this.#waiting.push(run);
  }

  /** Runs what waits. What that adds comes behind it. */
  run(): void {
    if (this.#running || this.#waiting.length === 0) {
      return;
    }
    this.#running = true;
    for (let at = 0; at < this.#waiting.length; at += 1) {
      outside(this.#waiting[at] as () => unknown);
    }
    this.#waiting.length = 0;
    this.#running = false;
  }
}
