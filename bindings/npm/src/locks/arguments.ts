import type { LockGrantedCallback, LockMode } from "./lock.js";
import type { LocksOptions, WebLocker } from "./manager.js";

/** What a call of `request` asks for, after the checks that browsers make. */
export interface Wanted<T> {
  name: string;
  mode: LockMode;
  ifAvailable: boolean;
  signal: AbortSignal | undefined;
  callback: LockGrantedCallback<T>;
}

const MODES: readonly unknown[] = ["exclusive", "shared"];

export function notSupported(message: string): DOMException {
  return new DOMException(message, "NotSupportedError");
}

/** With an error now, not at the first request. */
export function checkedLocker(locker: WebLocker): WebLocker {
  if (![locker?.read, locker?.write, locker?.inspect].every((method) => typeof method === "function")) {
    throw new TypeError("the locker must be one of tenure/modes");
  }
  return locker;
}

/** Each is read once. */
export function checkedOptions(given: LocksOptions): LocksOptions {
  if (Object.prototype.toString.call(given) !== "[object Object]") {
    throw new TypeError("the options of a LockManager must be an object");
  }
  const { prefix, ttl, ...others } = given;
  const [other] = Object.keys(others);
  if (other !== undefined) {
    throw new TypeError(`${other} is no option; there are prefix, ttl`);
  }
  if (prefix !== undefined && typeof prefix !== "string") {
    throw new TypeError("prefix must be a string");
  }
  if (ttl !== undefined && !(typeof ttl === "number" && ttl >= 0)) {
    throw new TypeError("ttl must be a number that is not negative");
  }
  return { prefix, ttl };
}

/** As a browser converts and checks them: in the same order, and with errors of the same names. */
export function wantedOf<T>(given: readonly unknown[]): Wanted<T> {
  if (given.length < 2) {
    throw new TypeError("request needs a name and a callback");
  }
  const name = textOf(given[0]);
  const [options, callback] = given.length === 2 ? [undefined, given[1]] : [given[1], given[2]];
  const { ifAvailable, mode, signal, steal } = optionsOf(options);
  if (typeof callback !== "function") {
    throw new TypeError("the callback of a request must be a function");
  }
  if (name.startsWith("-")) {
    throw notSupported('names that begin with "-" are reserved');
  }
  if (steal && ifAvailable) {
    throw notSupported("steal and ifAvailable exclude each other");
  }
  if (steal && mode !== "exclusive") {
    throw notSupported("steal is for exclusive locks");
  }
  if (signal && (steal || ifAvailable)) {
    throw notSupported("signal goes with neither steal nor ifAvailable");
  }
  if (steal) {
    throw notSupported("steal is not possible: a server cannot take a lock from its holder, which would go on writing");
  }
  return { name, mode, ifAvailable, signal, callback: callback as LockGrantedCallback<T> };
}

/** As `String` does, except that a symbol is refused. */
function textOf(value: unknown): string {
  return `${value as string}`;
}

function optionsOf(given: unknown): Pick<Wanted<unknown>, "ifAvailable" | "mode" | "signal"> & { steal: boolean } {
  if (given !== undefined && (given === null ? false : typeof given !== "object" && typeof given !== "function")) {
    throw new TypeError("the options of a request must be an object");
  }
  // Each is read once, in this order.
  const from = (given ?? {}) as Record<string, unknown>;
  const ifAvailable = Boolean(from.ifAvailable);
  const named = from.mode;
  const mode = named === undefined ? "exclusive" : textOf(named);
  if (!MODES.includes(mode)) {
    throw new TypeError('the mode of a request must be "exclusive" or "shared"');
  }
  const signal = from.signal as AbortSignal | undefined;
  if (signal !== undefined && !isSignal(signal)) {
    throw new TypeError("the signal of a request must be an AbortSignal");
  }
  return { ifAvailable, mode: mode as LockMode, signal, steal: Boolean(from.steal) };
}

function isSignal(value: unknown): boolean {
  const signal = value as Partial<AbortSignal> | null;
  return typeof signal === "object" && typeof signal?.aborted === "boolean" && typeof signal.addEventListener === "function";
}

/** Halves of surrogate pairs that are alone, for which UTF-8 has no bytes. Two that make a pair are one character here. */
const ALONE = /[\uD800-\uDFFF]/u;

/** The bytes of a name: UTF-8, and for the half of a pair the three bytes that it would have, so that all names differ. */
export function bytesOf(name: string): string | Uint8Array {
  if (!ALONE.test(name)) {
    return name;
  }
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  for (const character of name) {
    const code = character.codePointAt(0) as number;
    if (code >= 0xd800 && code <= 0xdfff) {
      bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    } else {
      bytes.push(...encoder.encode(character));
    }
  }
  return Uint8Array.from(bytes);
}
