import { message, type Dial } from "../link.js";

/** A command: its name and its arguments. */
export type Command = readonly Uint8Array[];

/** What a command was answered with: an error of the server stands in the list as an `Error`. */
export type Reply = string | Uint8Array | number | bigint | null | Error | readonly Reply[];

/** A client that you already have, or an endpoint over HTTP: anything that carries out commands, in their order. */
export interface CommandTransport {
  /** Carries out commands, and gives one reply for each. Rejected if it is not known what became of them. */
  send(commands: readonly Command[]): Promise<readonly Reply[]>;
  /** What to call it in errors and events. */
  readonly name?: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * @internal Commands as a connection: what the engine writes is taken apart, and replies are written as a server does.
 * The engine knows that the client is only lent, and sends no greeting.
 */
export function dialCommands(transport: CommandTransport): Dial {
  return (listener) => {
    let last: Promise<void> = Promise.resolve();
    queueMicrotask(() => listener.opened());
    return {
      send(bytes) {
        const commands = commandsOf(bytes.slice());
        const before = last;
        last = (async () => {
          try {
            const given = await transport.send(commands);
            await before;
            const parts: Uint8Array[] = [];
            commands.forEach((_, which) => encode(given[which] ?? null, parts));
            parts.forEach((part) => listener.received(part));
          } catch (error) {
            listener.gone(message(error));
          }
        })();
      },
      close() {},
    };
  };
}

/** The engine writes whole commands, each an array of byte strings. */
function commandsOf(bytes: Uint8Array): Command[] {
  const commands: Uint8Array[][] = [];
  let at = 0;
  const count = () => {
    const end = bytes.indexOf(13, at);
    const number = Number(decoder.decode(bytes.subarray(at + 1, end)));
    at = end + 2;
    return number;
  };
  while (at < bytes.length) {
    commands.push(
      Array.from({ length: count() }, () => {
        const length = count();
        at += length + 2;
        return bytes.subarray(at - length - 2, at - 2);
      }),
    );
  }
  return commands;
}

function encode(reply: Reply, parts: Uint8Array[]): void {
  const line = (text: string) => parts.push(encoder.encode(`${text}\r\n`));
  if (reply === null) {
    line("$-1");
  } else if (reply === "OK") {
    line("+OK");
  } else if (reply instanceof Error) {
    line(`-${reply.message.replace(/[\r\n]+/g, " ")}`);
  } else if (typeof reply === "number" || typeof reply === "bigint") {
    line(`:${reply}`);
  } else if (typeof reply === "string" || reply instanceof Uint8Array) {
    const bytes = typeof reply === "string" ? encoder.encode(reply) : reply;
    // A client that gives all as bytes gives this so, too.
    if (bytes.length === 2 && decoder.decode(bytes) === "OK") {
      return encode("OK", parts);
    }
    line(`$${bytes.length}`);
    parts.push(bytes);
    line("");
  } else {
    line(`*${reply.length}`);
    reply.forEach((each) => encode(each, parts));
  }
}
