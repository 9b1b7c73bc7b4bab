import { message, type Dial, type Lent } from "../link.js";
import { inTurn, type Carry } from "./turns.js";

/** A command: its name and its arguments. */
export type Command = readonly Uint8Array[];

/** What a command was answered with: an error of the server stands in the list as an `Error`. */
export type Reply = string | Uint8Array | number | bigint | null | Error | readonly Reply[];

/** A client that you already have, or an endpoint over HTTP: anything that carries out commands, in their order. */
export interface CommandTransport {
  /**
   * Carries out commands, and gives one reply for each. Rejected if it is not known what became of them. `signal` is
   * aborted when nobody waits for the replies any more.
   */
  send(commands: readonly Command[], signal: AbortSignal): Promise<readonly Reply[]>;
  /** What to call it in errors and events. */
  readonly name?: string;
  /**
   * Whether calls could overtake each other, as over HTTP: then each begins when the last is over, and takes along what
   * was wanted meanwhile. That pause is part of `requestTimeout`. Default: false.
   */
  readonly oneAtATime?: boolean;
  /** Whether it carries text only: then keys, tokens and metadata have to be UTF-8. Default: false. */
  readonly textOnly?: boolean;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Makes a server of what carries out commands. */
export function lend(transport: CommandTransport): Lent {
  const { name = "a client", textOnly = false } = transport;
  return { name, textOnly, dial: dialCommands(transport) };
}

/**
 * Commands as a connection: what the engine writes is taken apart, and replies are written as a server does. The engine
 * knows that the client is only lent, and sends no greeting.
 */
function dialCommands(transport: CommandTransport): Dial {
  return (listener) => {
    const ended = new AbortController();
    const carry: Carry = async (commands) => {
      ended.signal.throwIfAborted();
      const replies = await transport.send(commands, ended.signal);
      if (replies.length !== commands.length) {
        throw new Error(`${replies.length} replies to ${commands.length} commands`);
      }
      return replies;
    };
    const send = transport.oneAtATime ? inTurn(carry) : carry;
    let last: Promise<void> = Promise.resolve();
    queueMicrotask(() => listener.opened());
    return {
      send(bytes) {
        const commands = commandsOf(bytes.slice());
        const before = last;
        last = (async () => {
          try {
            const given = await send(commands);
            await before;
            const parts: Uint8Array[] = [];
            given.forEach((reply) => encode(reply, parts));
            parts.forEach((part) => listener.received(part));
          } catch (error) {
            listener.gone(message(error));
          }
        })();
      },
      close: () => ended.abort(),
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
    // Clients have shapes of their own for what is neither text nor number: nobody looks into it, but it is not nothing.
    const list = Array.isArray(reply) ? reply : [];
    line(`*${list.length}`);
    list.forEach((each) => encode(each, parts));
  }
}
