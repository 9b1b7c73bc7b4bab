import { message, type Dial, type Listener, type Wire } from "../link.js";
import type { Login } from "../options.js";

/** An open connection that carries the bytes of one server. */
export interface Connection {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  /** Ends it. Default: reading is cancelled and writing aborted. */
  close?(): unknown;
}

/** A way to connect to one server, for those that no URL can name. */
export interface Transport {
  /** Opens a connection; called again, after a pause, whenever the last one is gone. */
  connect(): Connection | Promise<Connection>;
  /** How to log in there. */
  readonly login?: Login;
  /** What to call it in errors and events. */
  readonly name?: string;
}

/** @internal A connection of web streams as a wire. */
export function streams(transport: Pick<Transport, "connect">): Dial {
  return (listener) => {
    let closed = false;
    let wire: Wire | undefined;
    void (async () => {
      try {
        const connection = await transport.connect();
        wire = wireOf(connection, listener);
        if (closed) {
          return wire.close();
        }
        listener.opened();
        await read(connection.readable, listener);
      } catch (error) {
        listener.gone(message(error));
      } finally {
        // Whoever is left by the server still has an end to close: runtimes count those, and some allow but a few.
        wire?.close();
      }
    })();
    return {
      send: (bytes) => wire?.send(bytes),
      close: () => {
        closed = true;
        wire?.close();
      },
    };
  };
}

const readers = new WeakMap<ReadableStream<Uint8Array>, ReadableStreamDefaultReader<Uint8Array>>();

function wireOf(connection: Connection, listener: Listener): Wire {
  const writer = connection.writable.getWriter();
  return {
    send: (bytes) => {
      writer.write(bytes.slice()).catch((error: unknown) => listener.gone(message(error)));
    },
    close: () => {
      // What has ended already may say so, at once or later.
      const quietly = async (ending: () => unknown) => {
        try {
          await ending();
        } catch {
          // It is over either way.
        }
      };
      void quietly(() => readers.get(connection.readable)?.cancel());
      void quietly(() => writer.abort());
      void quietly(() => connection.close?.());
    },
  };
}

async function read(readable: ReadableStream<Uint8Array>, listener: Listener): Promise<void> {
  const reader = readable.getReader();
  readers.set(readable, reader);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      return listener.gone("the server closed the connection");
    }
    listener.received(value);
  }
}
