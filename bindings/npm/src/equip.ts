import { Lock } from "./lock.js";
import { Locker } from "./locker.js";

/**
 * @internal Gives the classes what goes by symbols. Not where they are defined: bundlers keep a class whose members are computed,
 * and with it the whole engine, also for those who want an error only.
 */
export function equip(): void {
  // Runtimes without explicit resource management lack the symbol that `await using` looks for; compilers look for this one.
  (Symbol as { asyncDispose?: symbol }).asyncDispose ??= Symbol.for("Symbol.asyncDispose");
  const define = (prototype: object, symbol: symbol, value: (this: any) => unknown) =>
    Object.defineProperty(prototype, symbol, { value, configurable: true, writable: true });
  define(Locker.prototype, Symbol.asyncDispose, function () {
    return this.close();
  });
  define(Lock.prototype, Symbol.asyncDispose, async function () {
    await this.release();
  });
  // What Node, Bun and Deno show.
  define(Lock.prototype, Symbol.for("nodejs.util.inspect.custom"), function () {
    return { Lock: this.toJSON() };
  });
}
