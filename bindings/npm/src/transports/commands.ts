import { call, checked, flag, isBytes, text } from "../check.js";
import { message, type Dial, type Lent } from "../link.js";
import { utf8 } from "../pack.js";
import { inTurn, type Carry } from "./turns.js";

/** A command: its name and its arguments. */
export type Command = readonly Uint8Array[];

/** The reply to a command. An error of the server is an `Error` in the list. */
export type Reply = string | Uint8Array | number | bigint | null | Error | readonly Reply[];

/** A client that you already have, or an endpoint over HTTP: anything that carries out commands, in their order. */
export interface CommandTransport {
  /**
   * Carries out commands, and returns one reply for each, with a server error as an `Error`. Rejected if their outcome is not
   * known; a reply that no server gives counts as unknown, too. `signal` is aborted when the replies are no longer needed:
   * commands that are not sent by then must not be sent later. `key` is that of `lane`.
   */
  send(commands: readonly Command[], signal: AbortSignal, key: Uint8Array | undefined): Promise<readonly Reply[]>;
  /** Called before the first command, and again when it is used after a failure. Rejected if it cannot be used now. */
  open?(signal: AbortSignal, key: Uint8Array | undefined): unknown;
  /**
   * For a client that stands for several servers, of which each answers by itself: the name of the one that a key is on just now.
   * Each of them gets connections of its own then, so that one that is silent holds up nobody else. `send` gets a key of the
   * server, for commands that name none. Default: there is one server.
   */
  readonly lane?: ((key: Uint8Array) => string) | undefined;
  /** What to call it in errors and events. */
  readonly name?: string | undefined;
  /**
   * Whether calls could overtake each other, as over HTTP: then each begins when the last is over, and takes along what
   * was wanted meanwhile. That pause is part of `requestTimeout`. Default: false.
   */
  readonly oneAtATime?: boolean | undefined;
  /** Whether it carries text only: then keys, tokens and metadata have to be UTF-8. Default: false. */
  readonly textOnly?: boolean | undefined;
}

const TRANSPORT = { send: call, open: call, lane: call, name: text, oneAtATime: flag, textOnly: flag };

/** Makes a server of what carries out commands. Throws an `ArgumentError`. */
export function lend(transport: CommandTransport): Lent {
  // A class may have more than that; in an object that is written for this, it is a mistake.
  checked(transport, "transport", TRANSPORT, Object.getPrototypeOf(transport ?? 0) !== Object.prototype);
  call(transport.send, "transport.send");
  const { name = "a client", textOnly = false } = transport;
  const lane = transport.lane && ((key: Uint8Array) => String(transport.lane?.(key)));
  return { name, textOnly, lane, dial: dialCommands(transport), identity: transport };
}

/**
 * Commands as a connection: what the engine writes is taken apart, and replies are written as a server does. The engine
 * knows that the client is only lent, and sends no greeting.
 */
function dialCommands(transport: CommandTransport): Dial {
  return (listener, key) => {
    const ended = new AbortController();
    const carry: Carry = async (commands) => {
      ended.signal.throwIfAborted();
      const replies = await transport.send(commands, ended.signal, key);
      if (!Array.isArray(replies) || replies.length !== commands.length) {
        throw new Error(`${Array.isArray(replies) ? replies.length : typeof replies} instead of ${commands.length} replies`);
      }
      return replies;
    };
    const send = transport.oneAtATime ? inTurn(carry) : carry;
    const gone = (error: unknown) => listener.gone(message(error));
    let last: Promise<void> = Promise.resolve();
    void (async () => {
      await transport.open?.(ended.signal, key);
      listener.opened();
    })().catch(gone);
    return {
      send(bytes) {
        const commands = commandsOf(bytes.slice());
        const before = last;
        last = (async () => {
          try {
            const given = await send(commands);
            await before;
            // All of them are checked before the first is passed on.
            const parts = given.flatMap((reply, at) => encoded(nameOf(commands[at]), reply));
            parts.forEach((part) => listener.received(part));
          } catch (error) {
            gone(error);
          }
        })();
      },
      close: () => ended.abort(),
    };
  };
}

const nameOf = ([name]: Command = []) => new TextDecoder().decode(name);

/** The engine writes whole commands, each an array of byte strings. */
function commandsOf(bytes: Uint8Array): Command[] {
  const commands: Uint8Array[][] = [];
  let at = 0;
  const count = () => {
    const end = bytes.indexOf(13, at);
    const number = Number(new TextDecoder().decode(bytes.subarray(at + 1, end)));
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

/** What a server would write. What no server answers to this command says nothing: then nobody knows what became of it. */
function encoded(command: string, reply: Reply): Uint8Array[] {
  const line = (text: string) => utf8(`${text}\r\n`);
  if (reply instanceof Error) {
    return [line(`-${reply.message.replace(/[\r\n]+/g, " ")}`)];
  }
  const bytes = typeof reply === "string" || isBytes(reply) ? utf8(reply) : undefined;
  const text = bytes && new TextDecoder().decode(bytes);
  switch (command) {
    case "COMMAND":
    case "SCRIPT":
    case "PING":
      // Clients have shapes of their own for some of this, and nobody looks into it.
      return listed(reply);
    case "SET":
      if (reply === null || text === "OK") {
        return [line(text ? "+OK" : "$-1")];
      }
      break;
    case "GET":
      if (reply === null || bytes) {
        return bytes ? [line(`$${bytes.length}`), bytes, line("")] : [line("$-1")];
      }
      break;
    default: {
      // Some clients make text of numbers.
      const number = text ?? (typeof reply === "number" || typeof reply === "bigint" ? String(reply) : "");
      if (/^-?\d{1,19}$/.test(number)) {
        return [line(`:${number}`)];
      }
    }
  }
  throw new Error(`${command} was answered with what no server answers`);
}

/** A list of texts as it is, and all else as one that is empty. */
function listed(reply: unknown): Uint8Array[] {
  if (Array.isArray(reply)) {
    return [utf8(`*${reply.length}\r\n`), ...reply.flatMap(listed)];
  }
  const bytes = typeof reply === "string" || isBytes(reply) ? utf8(reply) : undefined;
  return bytes ? [utf8(`$${bytes.length}\r\n`), bytes, utf8("\r\n")] : [utf8("*0\r\n")];
}
