/** An open connection to one server, or one that is being opened. */
export interface Wire {
  /** Sends these bytes behind all earlier ones. They are the engine's memory, which changes: what is kept must be copied. */
  send(bytes: Uint8Array): void;
  /** Ends it, whether open or not. Nothing is to be told any more. */
  close(): void;
}

/** What a wire tells. */
export interface Listener {
  /** It is open. */
  opened(): void;
  /** Bytes came, split anywhere. They are looked at before this returns. */
  received(bytes: Uint8Array): void;
  /** It is gone, or could not be opened. */
  gone(reason: string): void;
}

/** Starts to open a connection. */
export type Dial = (listener: Listener) => Wire;

/** A server behind something of yours, as `tenure/clients` makes it of clients and endpoints. */
export interface Lent {
  /** What it is called in errors and events. */
  readonly name: string;
  /** Whether keys, tokens and metadata have to be UTF-8. */
  readonly textOnly: boolean;
  /** Opens a connection that takes and gives RESP. */
  readonly dial: Dial;
}

/** @internal What a link asks of its driver. */
export interface Owner {
  linked(node: number): void;
  received(node: number, bytes: Uint8Array): void;
  unlinked(node: number): void;
}

/** @internal The place of one server, with one wire after the other. What an old wire still tells is not heard. */
export class Link {
  /** Why the last wire went away. */
  error: string | undefined;
  readonly #node: number;
  readonly #dial: Dial;
  readonly #owner: Owner;
  #wire: Wire | undefined;
  /** The number of the latest wire, or of the pause behind it. */
  #turn = 0;

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
    try {
      this.#wire = this.#dial({
        opened: () => heard(() => this.#owner.linked(this.#node)),
        received: (bytes) => heard(() => this.#owner.received(this.#node, bytes)),
        gone,
      });
    } catch (error) {
      // Told later, as every other failure is.
      queueMicrotask(() => gone(message(error)));
    }
  }

  send(bytes: Uint8Array): void {
    this.#wire?.send(bytes);
  }

  close(): void {
    this.#turn += 1;
    const wire = this.#wire;
    this.#wire = undefined;
    try {
      wire?.close();
    } catch {
      // Whatever it says, it is not used any more.
    }
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
