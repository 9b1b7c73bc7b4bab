import { ArgumentError } from "./errors.js";
import type { Bytes } from "./options.js";

const NONE = 0xffff_ffff;

/** @internal */
export function utf8(value: Bytes): Uint8Array {
  return typeof value === "string" ? new TextEncoder().encode(value) : value;
}

/** Writes requests in the one packed form that the engine reads (`bindings/wasm/src/pack.rs`). */
export class Packer {
  #bytes = new Uint8Array(512);
  #view = new DataView(this.#bytes.buffer);
  #end = 0;
  readonly #encoder = new TextEncoder();
  /** Whether bytes have to be UTF-8, because not all servers can be sent anything else. */
  readonly #textOnly: boolean;

  constructor(textOnly: boolean) {
    this.#textOnly = textOnly;
  }

  start(): this {
    this.#end = 0;
    return this;
  }

  /** What was written since the start, until the next one. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#end);
  }

  byte(value: number): this {
    this.#room(1);
    this.#bytes[this.#end++] = value;
    return this;
  }

  /** A whole number; nothing is a number of all ones. */
  word(value: number | undefined): this {
    this.#room(4);
    this.#view.setUint32(this.#end, value ?? NONE, true);
    this.#end += 4;
    return this;
  }

  /** Milliseconds; nothing is negative. */
  time(value: number | undefined): this {
    this.#room(8);
    this.#view.setFloat64(this.#end, value ?? -1, true);
    this.#end += 8;
    return this;
  }

  raw(value: Uint8Array): this {
    this.#room(value.length);
    this.#bytes.set(value, this.#end);
    this.#end += value.length;
    return this;
  }

  /** Bytes behind their length. */
  blob(value: Bytes | undefined): this {
    if (value === undefined) {
      return this.word(undefined);
    }
    if (typeof value !== "string") {
      this.#check(value);
      return this.word(value.length).raw(value);
    }
    // No character has more than three bytes for each of its units.
    this.#room(4 + 3 * value.length);
    const { written } = this.#encoder.encodeInto(value, this.#bytes.subarray(this.#end + 4));
    this.word(written);
    this.#end += written;
    return this;
  }

  #check(value: Uint8Array): void {
    try {
      if (this.#textOnly) {
        new TextDecoder("utf-8", { fatal: true }).decode(value);
      }
    } catch {
      throw new ArgumentError("not_text", "one of the servers takes only keys, tokens and metadata in UTF-8");
    }
  }

  #room(more: number): void {
    if (this.#end + more <= this.#bytes.length) {
      return;
    }
    const larger = new Uint8Array(2 * (this.#end + more));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}
