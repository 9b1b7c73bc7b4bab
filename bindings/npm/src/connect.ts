import { nextTurn, type Turn } from "./alarm.js";
import { call, checked, text } from "./check.js";
import { Clock } from "./clock.js";
import { Driver } from "./driver.js";
import { equip } from "./equip.js";
import { ArgumentError, EngineError, retraced } from "./errors.js";
import { Fleet, type LaneOf } from "./fleet.js";
import { outside } from "./guard.js";
import type { Dial, Lent } from "./link.js";
import { Machine } from "./machine.js";
import { refuseLent } from "./modes/acks.js";
import type { ConnectOptions as ModeConnectOptions } from "./modes/events.js";
import { Locker as ModeLocker } from "./modes/locker.js";
import { Nodes } from "./nodes.js";
import { connectOptions, login as loginKind, packConfig, type ConnectOptions, type Node } from "./options.js";
import { Packer, utf8 } from "./pack.js";
import { Locker } from "./locker.js";
import { streams, type Transport } from "./transports/streams.js";
import { dialWebSocket } from "./transports/websocket.js";
import { parse, type Address } from "./url.js";

/** A server: its URL, or a way to connect to it. */
export type Server = string | Transport | Lent;

/** @internal What differs between runtimes. */
export interface Platform {
  /** The compiled engine. */
  module(): Promise<WebAssembly.Module>;
  /** The same, once it was requested. */
  compiled?: Promise<WebAssembly.Module> | undefined;
  /** Connections to hosts and Unix sockets; nothing where there are none. */
  dial?(address: Exclude<Address, { kind: "ws" }>, options: ConnectOptions): Dial;
  /** Runs something behind all that came in. */
  turn?: Turn;
}

/** @internal */
export interface Target extends Node {
  dial: Dial;
  shown: string;
  /** What distinguishes it from others. */
  identity: unknown;
  textOnly?: boolean;
  lane?: Lent["lane"];
}

const TRANSPORT = { connect: call, login: loginKind, name: text };

/**
 * Connects to one server, or to several that decide together: see `arrangement`. Resolves when enough of them for a
 * quorum are ready; the others may come later, and connections that break are opened again, without an end.
 *
 * A URL is `redis://[user[:password]@]host[:port][/database]`, the same with `rediss://` for TLS,
 * `redis+unix://[user[:password]@]/path/to/socket[?db=database]`, or `ws://` and `wss://` to a bridge that passes the
 * bytes of a server on. `valkey` may stand for `redis`. Not every runtime has all of them. With `?resp=2` there is no
 * `HELLO`, for proxies that hang up at it.
 *
 * Several servers must be independent: the same one twice is refused, be it the same transport or client, or URLs with
 * equal host (in any case) and port or an equal path, whatever their user, TLS and database. Two names of one machine are
 * not recognised.
 *
 * Rejected with a `ConnectError` if too many servers cannot be used at their first try, with an `ArgumentError`, or with
 * the reason of `options.signal`.
 */
export type Connect = (servers: Server | readonly Server[], options?: ConnectOptions) => Promise<Locker>;

/** @internal */
export async function connectOn(platform: Platform, servers: Server | readonly Server[], given?: ConnectOptions): Promise<Locker> {
  const options = connectOptions(given);
  if (options.signal?.aborted) {
    throw options.signal.reason;
  }
  const list = Array.isArray(servers) ? (servers as readonly Server[]) : [servers as Server];
  const targets = list.map((server) => target(server, platform, options));
  differ(targets);
  if (MODES) {
    refuseLent(targets, options.acks);
  }
  equip();
  platform.compiled ??= platform.module();
  const module = await platform.compiled.catch((error) => {
    // The next one tries again.
    platform.compiled = undefined;
    throw error;
  });
  const open = (key?: Uint8Array) => start(module, targets, options, platform, key);
  const first = open();
  await ready(first, options.signal);
  return new (MODES ? ModeLocker : Locker)(new Fleet(first, laneOf(targets), (key) => new Uint8Array([...utf8(options.prefix ?? ""), ...utf8(key)]), open));
}

/** In which lane a key is on each of the servers, if any of them has lanes. */
function laneOf(targets: readonly Target[]): LaneOf {
  return targets.some(({ lane }) => lane) ? (key) => targets.map(({ lane }) => lane?.(key)).join() : undefined;
}

function target(server: Server, platform: Platform, options: ConnectOptions): Target {
  if (typeof server === "string") {
    return targetOf(server, platform, options);
  }
  const given = ((typeof server === "object" && server) || {}) as Partial<Transport & Lent>;
  // Before it is checked as a transport: most clients have a `connect`, too.
  if ("sendCommand" in given) {
    throw new ArgumentError("bad_option", "a client has to be lent: connect(ioredis(client)) or connect(nodeRedis(client)), from tenure/clients");
  }
  if (given.dial) {
    const { dial, name: shown, textOnly, lane, identity = given } = given as Lent;
    return { dial, login: {}, lent: true, shown, textOnly, lane, identity };
  }
  if ("connect" in given) {
    const { name = "a transport", login } = checked(given, "transport", TRANSPORT, true) as Transport;
    call(given.connect, "transport.connect");
    return { dial: streams(given as Transport), login: login ?? {}, shown: name, identity: server };
  }
  // Such as a variable of the environment that is not set.
  throw new ArgumentError("bad_url", `a server is a URL (a string) or a way to connect, not ${server === null ? server : typeof server}`);
}

function targetOf(url: string, platform: Platform, options: ConnectOptions): Target {
  const address = parse(url);
  const { login, shown } = address;
  if (address.kind === "ws") {
    return { dial: dialWebSocket(address.url), login, shown, identity: address.url };
  }
  if (platform.dial === undefined) {
    throw new ArgumentError("bad_url", "this runtime has no TCP: connect to a bridge with ws:// or wss://, or give a transport");
  }
  return { dial: platform.dial(address, options), login, shown, identity: shown };
}

/** A server that is listed twice would vote twice, and both votes are gone when it is. */
function differ(targets: readonly Target[]): void {
  targets.forEach(({ identity, shown }, index) => {
    if (targets.findIndex((other) => other.identity === identity) < index) {
      throw new ArgumentError("same_server", `${shown} is listed twice: several servers must be independent, and databases of one server are not`);
    }
  });
}

/** Each engine has an instance of its own, so that a trap in one leaves the others alone. */
function start(module: WebAssembly.Module, targets: readonly Target[], options: ModeConnectOptions, platform: Platform, lane?: Uint8Array): Driver {
  const clock = new Clock();
  const packer = new Packer(targets.some(({ textOnly }) => textOnly));
  const packed = packConfig(packer, targets, options);
  let machine, needed;
  try {
    machine = new Machine(module);
    needed = machine.start(packed, clock.now());
  } catch (error) {
    throw error instanceof ArgumentError ? error : new EngineError(error);
  }
  const nodes = new Nodes(targets.map(({ shown }) => shown), needed);
  const dials = targets.map(({ dial }): Dial => (listener) => dial(listener, lane));
  return new Driver({ machine, clock, nodes, packer, dials, onEvent: options.onEvent, turn: platform.turn ?? nextTurn });
}

/** Nobody has a handle if this fails, so nothing may stay behind. */
async function ready(driver: Driver, signal: AbortSignal | undefined): Promise<void> {
  let cancel = () => {};
  try {
    const aborted = new Promise<never>((_, reject) => {
      cancel = () => reject(signal?.reason);
      signal?.addEventListener("abort", cancel, { once: true });
      if (signal?.aborted) {
        cancel();
      }
    });
    await Promise.race([driver.nodes.enough(), aborted]);
  } catch (error) {
    void driver.close();
    throw retraced(error);
  } finally {
    outside(() => signal?.removeEventListener("abort", cancel));
  }
}
