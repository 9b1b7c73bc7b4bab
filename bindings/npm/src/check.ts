import { ArgumentError } from "./errors.js";

/** Bytes, or text that stands for its UTF-8. */
export type Bytes = string | Uint8Array;

/** What a value has to be: gives what is kept of it, or throws an `ArgumentError` that begins with its name. */
export type Kind = (value: any, name: string) => unknown;

/** The value itself is not shown, unless it is a number: it may be a secret. */
export function refuse(name: string, wanted: string, value: unknown): never {
  const kind = value === null || typeof value === "number" ? value : Array.isArray(value) ? "array" : typeof value;
  throw new ArgumentError("bad_option", `${name} must be ${wanted}, not ${kind}`);
}

/** Whether it is of this kind, also if it comes from another realm, such as that of a test. */
export function isBytes(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) && (value as Uint8Array)[Symbol.toStringTag] === "Uint8Array";
}

const must = (is: boolean, value: unknown, name: string, wanted: string) => (is ? value : refuse(name, wanted, value));

// Functions all of them, and tables without a call: what is called while this is loaded is never left out by bundlers.
export const flag: Kind = (value, name) => must(typeof value === "boolean", value, name, "true or false");
export const text: Kind = (value, name) => must(typeof value === "string", value, name, "a string");
export const call: Kind = (value, name) => must(typeof value === "function", value, name, "a function");
export const amount: Kind = (value, name) => must(typeof value === "number" && value >= 0, value, name, "a number that is not negative");
export const signal: Kind = (value, name) =>
  must(typeof value?.aborted === "boolean" && typeof value.addEventListener === "function", value, name, "an AbortSignal");

/** A whole number for which 32 bits suffice; one less than all of them is as good as no limit. */
export const count: Kind = (value, name) => Math.min(Math.floor(amount(value, name) as number), 0xffff_fffe);

/** A copy: what was given may change. */
export const bytes: Kind = (value, name) =>
  isBytes(value) ? Uint8Array.from(value) : must(typeof value === "string", value, name, "a string or a Uint8Array");

/** The options in a table, and no others, unless `more` are no matter. What is not there is not kept. */
export function checked(given: any, name: string, table: Record<string, Kind>, more?: boolean): any {
  must(Object.prototype.toString.call(given) === "[object Object]", given, name || "options", "an object");
  const path = (key: string) => (name ? `${name}.${key}` : key);
  if (!more) {
    for (const key of Object.keys(given)) {
      if (!Object.hasOwn(table, key)) {
        throw new ArgumentError("bad_option", `${path(key)} is no option; there are ${Object.keys(table).join(", ")}`);
      }
    }
  }
  const kept: Record<string, unknown> = {};
  for (const key in table) {
    const value = given[key];
    if (value !== undefined) {
      kept[key] = (table[key] as Kind)(value, path(key));
    }
  }
  return kept;
}

/** The keys of one call. */
export function listed(keys: unknown): readonly Bytes[] {
  return (Array.isArray(keys) ? keys.map((key, at) => bytes(key, `keys[${at}]`)) : [bytes(keys, "keys")]) as Bytes[];
}
