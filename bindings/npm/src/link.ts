import { outside } from "./guard.js";

/** An open connection to one server, or one that is being opened. */
export interface Wire {
  /** Sends these bytes behind all earlier ones. They are the engine's memory, which changes: what is kept must be copied. */
  send(bytes: Uint8Array): void;
  /** Ends it, whether open or not. Nothing is reported after that. */
  close(): void;
  /** Whether it keeps the process alive, on runtimes that have the choice. */
  hold?(holds: boolean): void;
}

/** What a wire reports. */
export interface Listener {
  /** It is open. */
  opened(): void;
  /** Bytes arrived, split anywhere. They are processed before this returns. */
  received(bytes: Uint8Array): void;
  /** It is gone, or could not be opened. */
  gone(reason: string): void;
}

/** Starts to open a connection; to the server of this key, if it stands for several. */
export type Dial = (listener: Listener, key?: Uint8Array) => Wire;

/** A server behind something of yours, as `tenure/clients` makes it of clients and endpoints. */
export interface Lent {
  /** What it is called in errors and events. */
  readonly name: string;
  /** Whether keys, tokens and metadata have to be UTF-8. */
  readonly textOnly: boolean;
  /** What distinguishes it from others: the client itself. */
  readonly identity?: unknown;
  /** Opens a connection that takes and gives RESP. */
  readonly dial: Dial;
  /** If it stands for several servers: the name of the one that a key is on just now. */
  readonly lane?: ((key: Uint8Array) => string) | undefined;
}

/** @internal What a link asks of its driver. */
export interface Owner {
  linked(node: number): void;
  received(node: number, bytes: Uint8Array): void;
  unlinked(node: number): void;
}

/**
 * @internal The place of one server, with one wire after the other. Reports of an old wire are ignored. Wires run code
 * of users: what they throw ends the wire, and nothing else.
 */
export class Link {
  /** Why the last wire went away. */
  error: string | undefined;
  readonly #node: number;
  readonly #dial: Dial;
  readonly #owner: Owner;
  #wire: Wire | undefined;
  /** The number of the latest wire, or of the pause behind it. */
  #turn = 0;
  #holds = true;
  /** What is done when the wire fails in our hands. */
  #fail: (error: unknown) => void = () => {};

  constructor(node: number, dial: Dial, owner: Owner) {
    this.#node = node;
    this.#dial = dial;
    this.#owner = owner;
  }

  open(): void {
    this.close();
    const turn = this.#turn;
    const heard = (tell: () => void) => {
      if (turn === this.#turn) {
        tell();
      }
    };
    const gone = (reason: string) =>
      heard(() => {
        this.close();
        this.error = reason;
        this.#owner.unlinked(this.#node);
      });
    // Reported later, as every other failure is.
    this.#fail = (error) => queueMicrotask(() => gone(message(error)));
    outside(() => {
      this.#wire = this.#dial({
        opened: () => heard(() => this.#owner.linked(this.#node)),
        received: (bytes) => heard(() => this.#owner.received(this.#node, bytes)),
        gone,
      });
      this.hold(this.#holds);
    }, this.#fail);
  }

  send(bytes: Uint8Array): void {
    // What cannot send is gone.
    outside(() => this.#wire?.send(bytes), this.#fail);
  }

  /** Whether it is to keep the process alive. */
  hold(holds: boolean): void {
    this.#holds = holds;
    outside(() => this.#wire?.hold?.(holds), this.#fail);
  }

  close(): void {
    this.#turn += 1;
    const wire = this.#wire;
    this.#wire = undefined;
    // Its outcome does not matter: it is not used from now on.
    outside(() => wire?.close(), () => {});
  }
}

/** @internal */
export function message(error: unknown): string {
  if (error instanceof Error) {
    // An error of several addresses has no message of its own.
    return error.message || String((error as { code?: unknown }).code ?? error.name);
  }
  return String(error);
}
