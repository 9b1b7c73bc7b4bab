import type * as Exports from "../generated/exports.js";
import { refusal, whyOf, type Why } from "./errors.js";

/** What the engine wants done; the numbers are those of `bindings/wasm/src/lib.rs`. */
export const enum Todo {
  TIMEOUT = 0,
  CONNECT = 1,
  DISCONNECT = 2,
  TRANSMIT = 3,
  OBTAINED = 4,
  NOT_OBTAINED = 5,
  REFRESHED = 6,
  LOST = 7,
  RELEASED = 8,
  INSPECTED = 9,
  NODE_READY = 10,
  NODE_DOWN = 11,
  CHANGED = 13,
  NOT_CHANGED = 14,
}

const WORDS = 5;

/** The values of some keys, as an inspection found them: not a number stands for a free one. */
export type Found = { remaining: number; value: Uint8Array }[];

/** Reads such values from the bytes of a record. */
export function found(bytes: Uint8Array): Found {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const all: Found = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 12 + view.getUint32(at + 8, true);
    all.push({ remaining: view.getFloat64(at, true), value: bytes.slice(at + 12, end) });
    at = end;
  }
  return all;
}

/** An instance of the module, which is one engine: hands packed requests in, and reads the record of what is to be done. */
export class Machine {
  readonly engine: typeof Exports;
  readonly #record: number;
  /** Where the engine reads, and how much. */
  #input = 0;
  #room = 0;
  #bytes = new Uint8Array();
  #names = new BigUint64Array();
  #numbers = new Float64Array();

  constructor(compiled: WebAssembly.Module) {
    this.engine = new WebAssembly.Instance(compiled).exports as typeof Exports;
    this.#record = this.engine.record();
  }

  /** Copies bytes to where the engine reads them. */
  hand(bytes: Uint8Array): number {
    if (bytes.length > this.#room) {
      this.#room = bytes.length;
      this.#input = this.engine.reserve(bytes.length);
    }
    this.#look();
    this.#bytes.set(bytes, this.#input);
    return bytes.length;
  }

  /** Makes the engine from a packed configuration, and returns how many servers must grant. */
  start(config: Uint8Array, now: number): number {
    const started = this.engine.start(this.hand(config), now);
    if (!started) {
      throw refusal(this.code());
    }
    return this.code();
  }

  poll(): number {
    const todo = this.engine.poll();
    this.#look();
    return todo;
  }

  /** The lock that the record is about. */
  id(): bigint {
    this.#look();
    return this.#names[0] as bigint;
  }

  /** The server that the record is about. */
  node(): number {
    return this.#numbers[0] as number;
  }

  /** Why a request was refused. */
  code(): number {
    this.#look();
    return this.first();
  }

  first(): number {
    return this.#numbers[1] as number;
  }

  second(): number {
    return this.#numbers[2] as number;
  }

  /** The bytes that the record points to, until the engine is called again. */
  bytes(): Uint8Array {
    const at = this.#numbers[3] as number;
    return this.#bytes.subarray(at, at + (this.#numbers[4] as number));
  }

  /** What an inspection found. */
  found(): Found {
    return found(this.bytes());
  }

  /** What a server did wrong, by its code; nothing if that is negative. */
  why(code: number): Why | undefined {
    return whyOf(code, () => new TextDecoder().decode(this.bytes()));
  }

  /** Memory that has grown is another buffer, and the old one is empty. */
  #look(): void {
    if (this.#bytes.length === 0) {
      const { buffer } = this.engine.memory;
      this.#bytes = new Uint8Array(buffer);
      this.#names = new BigUint64Array(buffer, this.#record, WORDS);
      this.#numbers = new Float64Array(buffer, this.#record, WORDS);
    }
  }
}
