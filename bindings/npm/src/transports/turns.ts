import type { Command, Reply } from "./commands.js";

/** @internal Carries out commands, and gives one reply for each. */
export type Carry = (commands: readonly Command[]) => Promise<readonly Reply[]>;

/** @internal Each call begins when the last is over, and takes along all that was wanted meanwhile. */
export function inTurn(carry: Carry): Carry {
  let last: Promise<unknown> = Promise.resolve();
  let wanted: Command[] = [];
  let next: Promise<readonly Reply[]> | undefined;
  return async (commands) => {
    const first = wanted.length;
    wanted.push(...commands);
    next ??= last.then(() => {
      const all = wanted;
      [wanted, next] = [[], undefined];
      return carry(all);
    });
    last = next.catch(() => {});
    return (await next).slice(first, first + commands.length);
  };
}
