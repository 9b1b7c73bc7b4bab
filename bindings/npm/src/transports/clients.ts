import { ArgumentError } from "../errors.js";
import type { Lent } from "../link.js";
import { lend, type Command, type CommandTransport, type Reply } from "./commands.js";
import { slotOf } from "./slots.js";

/** As much of a client of `ioredis` as is used here, be it for one server or for a cluster. */
export interface Ioredis {
  readonly status: string;
  callBuffer(command: string, words: any[]): Promise<unknown>;
}

/** As much of a client of `redis` (node-redis) as is used here. */
export interface NodeRedis {
  readonly isReady: boolean;
  sendCommand(words: any[], options: object): Promise<unknown>;
}

/** As much of a client of `redis` (node-redis) for a cluster as is used here. */
export interface NodeRedisCluster {
  readonly masters: readonly unknown[];
  sendCommand(key: any, isReadonly: boolean, words: any[], options: object): Promise<unknown>;
}

/**
 * A client of `ioredis`, for one server (also behind Sentinel) or for a cluster. It must not send a command twice, nor keep it
 * for later: throws an `ArgumentError` that says what to set. A single server needs `autoResendUnfulfilledCommands: false`, a
 * cluster `retryDelayOnFailover: 0` and `retryDelayOnClusterDown: 0`, whatever its `maxRedirections`; `enableAutoPipelining`, and a cluster's `scaleReads`, stay as
 * they are by default.
 */
export function ioredis(client: Ioredis): Lent {
  const { options = {}, nodes, slots } = must(client, "ioredis", "callBuffer") as any;
  const isCluster = typeof nodes === "function";
  const refuse = (is: boolean, advice: string) => {
    if (is) {
      throw new ArgumentError("bad_option", `ioredis(client): ${advice}`);
    }
  };
  refuse(!!options.enableAutoPipelining, "enableAutoPipelining must be off: it changes the order of commands, and fails for some");
  if (isCluster) {
    refuse(options.retryDelayOnFailover !== 0, "set retryDelayOnFailover: 0 for the cluster (maxRedirections is not enough), or it sends commands twice");
    refuse(options.retryDelayOnClusterDown !== 0, "set retryDelayOnClusterDown: 0 for the cluster, or it keeps commands for later");
    refuse((options.scaleReads ?? "master") !== "master", "scaleReads must be left at master: replicas do not know of all locks");
  } else {
    refuse(options.autoResendUnfulfilledCommands !== false, "set autoResendUnfulfilledCommands: false, or it sends commands twice");
  }
  const whole = (key: Uint8Array) => Buffer.concat([Buffer.from(options.keyPrefix ?? ""), key]);
  const nameOf = (key: Uint8Array): string | undefined => slots[slotOf(whole(key))]?.[0];
  /** What a key is on just now. */
  const serverOf = (key: Uint8Array | undefined) => {
    const name = key && nameOf(key);
    const server = name && nodes.call(client, "master").find((node: any) => `${node.options.host}:${node.options.port}` === name);
    return isCluster && server ? server : client;
  };
  return clientOf(client, {
    name: "ioredis",
    slot: isCluster ? (key) => slotOf(whole(key)) : undefined,
    open: (signal, key) => untilReady(isCluster ? client : serverOf(key), signal).then(() => untilReady(serverOf(key), signal)),
    lane: isCluster ? (key) => nameOf(key) ?? "" : undefined,
    isReady: (key) => serverOf(key).status === "ready",
    // What has no key goes to the server of the lane; all else where the client knows its key to be.
    carry(all, key) {
      const [name, ...words] = all;
      const ask = (one: any) => one.callBuffer(`${name}`, words);
      if (keysOf(all).length > 0) {
        return ask(client);
      }
      const server = serverOf(key);
      return isCluster && server === client ? anyOf(nodes.call(client, "master"), ask) : ask(server);
    },
    isReply: (error) => error.name === "ReplyError",
  });
}

/** A client of `redis` (node-redis), for one server or for a cluster. Throws an `ArgumentError` that says what to do instead. */
export function nodeRedis(client: NodeRedis | NodeRedisCluster): Lent {
  const { masters, totalClients, getSentinelNode, _keyPrefix, options } = must(client, "nodeRedis", "sendCommand") as any;
  const refuse = (advice: string): never => {
    throw new ArgumentError("bad_option", `nodeRedis(client): ${advice}`);
  };
  if (totalClients !== undefined) {
    refuse("a pool keeps no order: lend a client of createClient");
  }
  if (getSentinelNode !== undefined) {
    refuse("its client for Sentinel sends commands twice: lend one of ioredis with its sentinels");
  }
  if (_keyPrefix ?? options?.keyPrefix) {
    refuse("its keyPrefix is not put in front of the keys of locks: use the option prefix of connect");
  }
  // Bulk strings as they are: by default it makes text of them.
  const typeMapping = { 36: Buffer };
  const cluster = client as any;
  const isCluster = masters !== undefined;
  const masterOf = (key: Uint8Array) => cluster.slots[slotOf(key)]?.master;
  return clientOf(client, {
    name: "redis",
    slot: isCluster ? slotOf : undefined,
    lane: isCluster ? (key) => masterOf(key)?.address ?? "" : undefined,
    isReady: (key) => (isCluster ? !key || !!masterOf(key)?.client?.isReady : cluster.isReady),
    async open(_signal, key) {
      if (isCluster && key) {
        await cluster.nodeClient(masterOf(key));
      }
    },
    async carry(words, key, abortSignal) {
      const options = { typeMapping, abortSignal };
      if (!isCluster) {
        return cluster.sendCommand(words, options);
      }
      const [own] = keysOf(words);
      if (own) {
        return cluster.sendCommand(own, false, words, options);
      }
      const ask = async (master: any) => (await cluster.nodeClient(master)).sendCommand(words, options);
      return key ? ask(masterOf(key)) : anyOf(cluster.masters, ask);
    },
    // It has classes for both, which have no name once they were minified; only a server begins with a code in capitals.
    isReply: ({ message }) => /^[A-Z]+\b/.test(message),
  });
}

interface Client extends Pick<CommandTransport, "name" | "open" | "lane"> {
  /** By which a cluster finds the server of a key. */
  slot: ((key: Buffer) => number) | undefined;
  isReady(key: Uint8Array | undefined): boolean;
  carry(words: Buffer[], key: Uint8Array | undefined, signal: AbortSignal): Promise<unknown>;
  isReply(error: Error): boolean;
}

function clientOf(identity: unknown, { slot, isReady, carry, isReply, ...more }: Client): Lent {
  const one = async (command: Command, key: Uint8Array | undefined, signal: AbortSignal): Promise<Reply> => {
    const words = command.map((word) => Buffer.from(word));
    if (slot && new Set(keysOf(words).map(slot)).size > 1) {
      // No server can carry it out.
      return new Error("CROSSSLOT");
    }
    try {
      return (await carry(words, key, signal)) as Reply;
    } catch (error) {
      if (error instanceof Error && isReply(error)) {
        return error;
      }
      throw error;
    }
  };
  const lent = lend({
    ...more,
    send(commands, signal, key) {
      // Commands that the client keeps for later might be carried out after they were cancelled.
      if (!isReady(key)) {
        throw new Error("the client is not connected");
      }
      quiet(signal);
      return Promise.all(commands.map((command) => one(command, key, signal)));
    },
  });
  return { ...lent, identity };
}

/** Each command listens to the signal for a moment, which Node takes for a leak. */
function quiet(signal: AbortSignal): void {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): any } };
  process?.getBuiltinModule?.("node:events")?.setMaxListeners?.(0, signal);
}

/** Until a client of ioredis takes commands. */
async function untilReady(client: any, signal: AbortSignal): Promise<void> {
  if (client.status === "wait") {
    // The listeners of its errors get them, too.
    client.connect().catch(() => {});
  }
  if (client.status === "ready") {
    return;
  }
  let stop = () => {};
  await new Promise<void>((resolve, reject) => {
    const end = () => reject(new Error("the client has ended"));
    stop = () => ["ready", "end"].forEach((event, at) => client.off(event, [resolve, end][at]));
    client.once("ready", resolve).once("end", end);
    signal.addEventListener("abort", reject, { once: true });
    if (client.status === "end" || signal.aborted) {
      end();
    }
  }).finally(() => stop());
}

/** The first answer of any master, for what changes nothing: one that is silent must not keep a whole cluster from being used. */
function anyOf(masters: readonly any[], ask: (master: any) => Promise<unknown>): Promise<unknown> {
  return Promise.any(masters.map(ask)).catch(({ errors: [first = new Error("the client knows no master")] }) => {
    throw first;
  });
}

function must(client: any, name: string, method: string): unknown {
  if (typeof client?.[method] !== "function") {
    throw new ArgumentError("bad_option", `${name}(client): client must be one of its own, with a method ${method}`);
  }
  return client;
}

/** The keys, by which a cluster finds the server. */
function keysOf([name, ...words]: Buffer[]): Buffer[] {
  const command = `${name}`;
  if (/^(COMMAND|SCRIPT|PING)$/.test(command)) {
    return [];
  }
  // How many there are, where the first one is, and how far it is to the next: behind each key of `MSETEX` stands its value.
  const [count, first, step] = command.startsWith("EVAL") ? [words[1], 2, 1] : command === "MSETEX" ? [words[0], 1, 2] : [1, 0, 1];
  return words.slice(first, first + Number(count) * step).filter((_, at) => at % step === 0);
}
