import { Clock } from "./clock.js";
import { Driver } from "./driver.js";
import { ArgumentError } from "./errors.js";
import type { Dial, Lent } from "./link.js";
import { Machine } from "./machine.js";
import { Nodes } from "./nodes.js";
import { packConfig, type ConnectOptions, type Node } from "./options.js";
import { Packer } from "./pack.js";
import { Tenure } from "./tenure.js";
import { streams, type Transport } from "./transports/streams.js";
import { dialWebSocket } from "./transports/websocket.js";
import { parse, type Address } from "./url.js";

/** A server: its URL, or a way to connect to it. */
export type Server = string | Transport | Lent;

/** @internal What differs between runtimes. */
export interface Platform {
  /** The compiled engine. */
  module(): Promise<WebAssembly.Module>;
  /** Connections to hosts and Unix sockets; nothing where there are none. */
  dial?(address: Exclude<Address, { kind: "ws" }>, options: ConnectOptions): Dial;
}

/** @internal */
export interface Target extends Node {
  dial: Dial;
  shown: string;
  /** What tells it from others. */
  identity: unknown;
  textOnly?: boolean;
}

/**
 * Connects to one server, or to several that decide together: see `arrangement`. Resolves when enough of them for a
 * quorum are ready; the others may come later, and connections that break are opened again for ever.
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
export type Connect = (servers: Server | readonly Server[], options?: ConnectOptions) => Promise<Tenure>;

/** @internal */
export function connector(platform: Platform): Connect {
  let compiled: Promise<WebAssembly.Module> | undefined;
  return async (servers, options = {}) => {
    options.signal?.throwIfAborted();
    const list = Array.isArray(servers) ? (servers as readonly Server[]) : [servers as Server];
    const targets = list.map((server) => target(server, platform, options));
    differ(targets);
    compiled ??= platform.module();
    const driver = start(await compiled, targets, options);
    await ready(driver, options.signal);
    return new Tenure(driver);
  };
}

function target(server: Server, platform: Platform, options: ConnectOptions): Target {
  if (typeof server === "string") {
    return targetOf(server, platform, options);
  }
  if (server && "dial" in server) {
    const { dial, name: shown, textOnly } = server;
    return { dial, login: {}, lent: true, shown, textOnly, identity: server };
  }
  if (server && "connect" in server) {
    return { dial: streams(server), login: server.login ?? {}, shown: server.name ?? "a transport", identity: server };
  }
  // Such as a variable of the environment that is not set.
  throw new ArgumentError("bad_url", `a server is a URL or a way to connect, not ${server}`);
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
function start(module: WebAssembly.Module, targets: readonly Target[], options: ConnectOptions): Driver {
  const clock = new Clock();
  const machine = new Machine(module);
  const packer = new Packer(targets.some(({ textOnly }) => textOnly));
  const packed = packConfig(packer, targets, options);
  const nodes = new Nodes(targets.map(({ shown }) => shown), machine.start(packed, clock.now()));
  return new Driver({ machine, clock, nodes, packer, dials: targets.map(({ dial }) => dial), onEvent: options.onEvent });
}

/** Nobody has a handle if this fails, so nothing may stay behind. */
async function ready(driver: Driver, signal: AbortSignal | undefined): Promise<void> {
  let cancel: (() => void) | undefined;
  try {
    const aborted = new Promise<never>((_, reject) => {
      cancel = () => reject(signal?.reason);
      signal?.addEventListener("abort", cancel, { once: true });
    });
    await Promise.race([driver.nodes.enough(), aborted]);
  } catch (error) {
    void driver.close();
    throw error;
  } finally {
    signal?.removeEventListener("abort", cancel as () => void);
  }
}
