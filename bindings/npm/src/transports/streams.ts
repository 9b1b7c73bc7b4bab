import { isBytes } from "../check.js";
import { message, type Dial } from "../link.js";
import type { Login } from "../options.js";

/** An open connection that carries the bytes of one server. */
export interface Connection {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  /** Ends it. Default: reading is cancelled and writing aborted. */
  close?(): unknown;
  /** Whether it is to keep the process alive: called with `false` after `unref`. Default: nothing. */
  hold?(holds: boolean): unknown;
}

/** A way to connect to one server, for those that no URL can name. */
export interface Transport {
  /** Opens a connection; called again, after a pause, whenever the last one is gone. */
  connect(): Connection | Promise<Connection>;
  /** How to log in there. */
  readonly login?: Login | undefined;
  /** What to call it in errors and events. */
  readonly name?: string | undefined;
}

/** @internal A connection of web streams as a wire. */
export function streams(transport: Pick<Transport, "connect" | "name">): Dial {
  const { name = "the readable stream" } = transport;
  return (listener) => {
    let [closed, holds] = [false, true];
    const hold = () => connection?.hold?.(holds);
    let connection: Connection | undefined;
    let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
    let writer: WritableStreamDefaultWriter<Uint8Array> | undefined;
    const close = () => {
      closed = true;
      const left = connection;
      connection = undefined;
      if (left !== undefined) {
        [() => reader?.cancel(), () => writer?.abort(), () => left.close?.()].forEach(quietly);
      }
    };
    void (async () => {
      try {
        connection = await transport.connect();
        if (!holds) {
          hold();
        }
        reader = connection.readable.getReader();
        writer = connection.writable.getWriter();
        if (closed) {
          return;
        }
        listener.opened();
        for (let next = await reader.read(); !next.done; next = await reader.read()) {
          if (!isBytes(next.value)) {
            throw new TypeError(`${name} gave ${next.value === null ? "null" : typeof next.value} instead of a Uint8Array`);
          }
          listener.received(next.value);
        }
        listener.gone("the server closed the connection");
      } catch (error) {
        listener.gone(message(error));
      } finally {
        // After the server has closed, our end is still open: runtimes count open ends, and some allow only a few.
        close();
      }
    })();
    return {
      send: (bytes) => void writer?.write(bytes.slice()).catch((error: unknown) => listener.gone(message(error))),
      close,
      hold(now) {
        holds = now;
        hold();
      },
    };
  };
}

/** What has ended already may say so, at once or later, and must not keep the others from ending. */
async function quietly(ending: () => unknown): Promise<void> {
  try {
    await ending();
  } catch {
    // It is over either way.
  }
}
