import type { Lent } from "../link.js";
import { lend, type Command, type Reply } from "./commands.js";

/** As much of a client of `ioredis` as is used here, be it for one server or for a cluster. */
export interface Ioredis {
  callBuffer(command: string, words: any[]): Promise<unknown>;
}

/** As much of a client of `redis` (node-redis) as is used here. */
export interface NodeRedis {
  sendCommand(words: any[], options: object): Promise<unknown>;
}

/** As much of a client of `redis` (node-redis) for a cluster as is used here. */
export interface NodeRedisCluster {
  readonly masters: readonly unknown[];
  sendCommand(key: any, isReadonly: boolean, words: any[], options: object): Promise<unknown>;
}

/**
 * A client of `ioredis`, for one server or for a cluster. It must not send a command again by itself: for one server,
 * make it with `autoResendUnfulfilledCommands: false`.
 */
export function ioredis(client: Ioredis): Lent {
  return clientOf("ioredis", ([name = "", ...words]) => client.callBuffer(`${name}`, words), (error) => error.name === "ReplyError");
}

/** A client of `redis` (node-redis), for one server or for a cluster; not a pool, which keeps no order. */
export function nodeRedis(client: NodeRedis | NodeRedisCluster): Lent {
  // Bulk strings as they are: by default it makes text of them.
  const options = { typeMapping: { 36: Buffer } };
  const carry = (words: Buffer[]) =>
    "masters" in client ? client.sendCommand(keyOf(words), false, words, options) : client.sendCommand(words, options);
  // It has classes for both, which have no name once they were minified; only a server begins with a code in capitals.
  return clientOf("redis", carry, ({ message }) => /^[A-Z]+\b/.test(message));
}

function clientOf(name: string, carry: (words: Buffer[]) => Promise<unknown>, isReply: (error: Error) => boolean): Lent {
  const one = async (command: Command): Promise<Reply> => {
    try {
      return (await carry(command.map((word) => Buffer.from(word)))) as Reply;
    } catch (error) {
      if (error instanceof Error && isReply(error)) {
        return error;
      }
      throw error;
    }
  };
  return lend({ name, send: (commands) => Promise.all(commands.map(one)) });
}

/** What a cluster finds the server by: the first key, if there is one. */
function keyOf([name, ...words]: Buffer[]): Buffer | undefined {
  switch (`${name}`) {
    case "COMMAND":
    case "SCRIPT":
      return undefined;
    case "EVAL":
    case "EVALSHA":
      return words[2];
    default:
      return words[0];
  }
}
