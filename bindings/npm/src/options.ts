import { amount, bytes, call, checked, count, flag, refuse, signal, text, type Bytes, type Kind } from "./check.js";
import { ArgumentError } from "./errors.js";
import { acks, packAcks } from "./modes/acks.js";
import type { ConnectOptions as ModeConnectOptions } from "./modes/events.js";
import { mode, packMode, type ObtainOptions as ModeOptions } from "./modes/mode.js";
import type { Packer } from "./pack.js";

export type { Bytes } from "./check.js";

/**
 * When a waiting lock retries, if servers do not report a release. All times are in milliseconds. Values below 1 ms, even
 * 0, count as 1 ms. Negative numbers, and values that are not numbers, are an `ArgumentError`.
 */
export type RetryOptions = {
  /**
   * How chance changes a pause: not at all; the last `full` percent of it are random (100 ms at 50 become 50 to 100 ms);
   * or it is drawn between the shortest pause and `decorrelated` times the last one.
   */
  jitter?: "none" | { full: number } | { decorrelated: number } | undefined;
  /** At most this many more tries after the first. Default: no limit. */
  limit?: number | undefined;
} & (
  | { /** The same pause each time. */ every: number }
  | { /** The first pause; it doubles. */ min: number; /** The longest pause. */ max: number }
  | { /** One pause after the other, and then no further try. */ pauses: readonly number[] }
);

/** How a lock is requested. */
export interface ObtainOptions {
  /**
   * How long the servers keep the lock when nobody refreshes it, in milliseconds; rounded up to whole ones, 3 ms to 365
   * days. Default: 30 000.
   */
  ttl?: number | undefined;
  /** How long to wait for the current holder, in milliseconds; `Infinity` is possible. Default: 0, which tries once. */
  wait?: number | undefined;
  /** What others may read while the lock is held, such as a host name; up to 4096 bytes. Not for secrets. Default: "". */
  metadata?: Bytes | undefined;
  /**
   * A token of your own, 1 to 128 bytes. Requests for the same keys with the same token and metadata get the same
   * lock. Within one `Locker` such locks are counted: `release()` of one is `shared`, and the keys stay until the last one
   * is released. Between processes nobody counts: the first that releases deletes the keys, and the others are lost.
   * bsm/redislock compares the token alone: with the same token and other metadata it overwrites our key, and the
   * loss of the lock is reported at once. Default: 16 random bytes as 22 characters, which nobody else has.
   */
  token?: Bytes | undefined;
  /**
   * Whether the lock is kept alive without your help: refreshed each time a third of its ttl has passed. Default: true.
   */
  renew?: boolean | undefined;
  /**
   * The longest time that renewal may keep the lock, in milliseconds, counted from the request. If it ends before
   * the grant arrives, as with a time below a round trip, the lock is not obtained: `too_late`. Default: no limit.
   */
  maxHold?: number | undefined;
  /**
   * Whether each grant gets a number that is larger than every one before it for the same keys: `lock.fence`. The servers keep
   * a counter for each key, `{key}~fence` (`key~~fence` with a hash tag), for a day after its last number. Default: false.
   */
  fence?: boolean | undefined;
  /**
   * When to retry while waiting, if servers do not report a release; `false`: only after a report, or when the holder's
   * remaining time ends. Default: pauses from 16 ms, doubling to 1 s, of which half is random.
   */
  retry?: RetryOptions | false | undefined;
  /** Ends the wait: the promise is rejected with the signal's reason, and no key is left. Default: none. */
  signal?: AbortSignal | undefined;
}

/**
 * What secures connections to `rediss:` URLs, all texts in PEM. Not every runtime takes all of it; Cloudflare Workers take
 * none, and trust the authorities that are known to the public.
 */
export interface TlsOptions {
  /** Trusts these authorities, and no longer those that are known to the public. Node, Bun, Deno. */
  ca?: string | undefined;
  /** The chain of a certificate to show to servers that ask for one. Node, Bun, Deno. */
  cert?: string | undefined;
  /** The private key of `cert`. Node, Bun, Deno. */
  key?: string | undefined;
  /** The name to check certificates against instead of the host of the URL. Node, Bun. */
  servername?: string | undefined;
}

/** Something that happened: for logs and metrics. Tokens and passwords are never in it. */
export type TenureEvent =
  | { type: "obtained" | "refreshed"; keys: readonly Bytes[]; /** In milliseconds. */ remaining: number }
  | { type: "not_obtained" | "lost" | "released"; keys: readonly Bytes[]; reason: string; /** Of a server. */ fault?: string | undefined }
  | { type: "node_ready"; address: string; /** Whether it reports changes of keys. */ tracking: boolean }
  | { type: "node_down"; address: string; reason: string };

/** How to connect. */
export interface ConnectOptions {
  /**
   * What several servers are to each other. `quorum` is Redlock: more than half of at least three must grant. `ordered`:
   * all of them, asked one after the other. Default: `quorum`, or `ordered` for a single one.
   */
  arrangement?: "quorum" | "ordered" | undefined;
  /** Set in front of every key on the servers. Default: nothing. */
  prefix?: Bytes | undefined;
  /** The name that servers show in `CLIENT LIST`, without spaces. Default: `tenure`. */
  clientName?: string | undefined;
  /** How long an answer may take before it counts as unknown and the connection as dead, in milliseconds. Default: 1000. */
  requestTimeout?: number | undefined;
  /** How long a connection and its handshake may take, in milliseconds. Default: 3000. */
  connectTimeout?: number | undefined;
  /** The pause before a second try to connect, in milliseconds; it doubles. Default: 20. */
  reconnectMin?: number | undefined;
  /** The longest pause between two tries to connect, in milliseconds. Default: 2000. */
  reconnectMax?: number | undefined;
  /** Whether servers report changes of keys (RESP3 client tracking). Default: true. */
  tracking?: boolean | undefined;
  /** Whether to load the scripts while connecting, so that the first use of one costs no extra round trip. Default: false. */
  prepare?: boolean | undefined;
  /** Upper bounds on memory. */
  limits?: {
    /** Locks and inspections at one time. Default: 65 536. */
    locks?: number | undefined;
    /** Bytes of one answer. Default: 1 048 576. */
    answerBytes?: number | undefined;
    /** Requests that wait for the answer of one server. Default: 65 536. */
    pendingRequests?: number | undefined;
  } | undefined;
  /** For `rediss:` URLs. */
  tls?: TlsOptions | undefined;
  /** Gives up connecting: the promise is rejected with the signal's reason. Default: none. */
  signal?: AbortSignal | undefined;
  /** Called after each event. Default: none. */
  onEvent?: ((event: TenureEvent) => void) | undefined;
}

/** One of several ways must be given, and all of it. */
function oneWay(given: object, name: string, ways: readonly (readonly string[])[]): void {
  const [way = [], ...more] = ways.filter((words) => words.some((word) => word in given));
  if (more.length > 0 || way.length === 0 || !way.every((word) => word in given)) {
    throw new ArgumentError("bad_option", `${name} must have ${ways.map((words) => words.join(" and ")).join(", or ")}`);
  }
}

const jitter: Kind = (value, name) => {
  if (value === "none") {
    return value;
  }
  const kept = checked(value, name, { full: amount, decorrelated: amount });
  oneWay(kept, name, [["full"], ["decorrelated"]]);
  return kept;
};

const pauses: Kind = (value, name) =>
  Array.isArray(value) ? value.map((pause, at) => amount(pause, `${name}[${at}]`)) : refuse(name, "an array of numbers", value);

const retry: Kind = (value, name) => {
  const kept = value && checked(value, name, { every: amount, min: amount, max: amount, pauses, limit: count, jitter });
  if (value !== false) {
    oneWay(kept || refuse(name, "an object or false", value), name, [["every"], ["min", "max"], ["pauses"]]);
  }
  return kept;
};

// An option without a check here would be refused as unknown, so the compiler compares both lists with the interfaces.
const OBTAIN: Record<keyof ObtainOptions, Kind> = { ttl: amount, wait: amount, metadata: bytes, token: bytes, renew: flag, maxHold: amount, fence: flag, retry, signal, ...(MODES ? { mode } : {}) };
const LOGIN = { username: text, password: bytes, database: count, resp2: flag };
const LIMITS = { locks: count, answerBytes: count, pendingRequests: count };
const TLS = { ca: text, cert: text, key: text, servername: text };

/** @internal */
export const login: Kind = (value, name) => checked(value, name, LOGIN);

const CONNECT: Record<keyof ConnectOptions, Kind> = {
  arrangement: (value, name) => (value === "quorum" || value === "ordered" ? value : refuse(name, '"quorum" or "ordered"', value)),
  prefix: bytes,
  clientName: text,
  requestTimeout: amount,
  connectTimeout: amount,
  reconnectMin: amount,
  reconnectMax: amount,
  tracking: flag,
  prepare: flag,
  limits: (value, name) => checked(value, name, LIMITS),
  tls: (value, name) => checked(value, name, TLS),
  signal,
  onEvent: call,
  ...(MODES ? { acks } : {}),
};

/** @internal Options after the check: each was read once, and none can change later. */
export const obtainOptions = (given: unknown): ObtainOptions => (given === undefined ? {} : checked(given, "", OBTAIN));

/** @internal Who leaves out acks without noticing relies on what does not hold, so it says where they are. */
export function connectOptions(given: any): ModeConnectOptions {
  if (!MODES && given?.acks) {
    throw new ArgumentError("bad_option", "acks is an option of the entry tenure/modes only");
  }
  return given === undefined ? {} : checked(given, "", CONNECT);
}

/** @internal */
export function packObtain(packer: Packer, keys: readonly Bytes[], token: Drawn | Bytes, options: ModeOptions): Uint8Array {
  packer
    .start()
    .time(options.ttl ?? 30_000)
    .time(options.wait)
    .time(options.maxHold)
    .byte(options.renew === false ? 0 : 1);
  if (token instanceof Drawn) {
    packer.byte(0).raw(token.bytes);
  } else {
    packer.byte(1).blob(token);
  }
  packer.blob(options.metadata);
  packRetry(packer, options.retry);
  packer.byte(options.fence ? 1 : 0);
  if (MODES) {
    packMode(packer, options.mode);
  }
  return packKeys(packer, keys);
}

/** @internal */
export function packKeys(packer: Packer, keys: readonly Bytes[]): Uint8Array {
  for (const key of keys) {
    packer.blob(key);
  }
  return packer.bytes();
}

function packRetry(packer: Packer, retry: RetryOptions | false | undefined): void {
  if (!retry) {
    packer.byte(retry === false ? 1 : 0).byte(0).byte(0).word(undefined);
    return;
  }
  if ("every" in retry) {
    packer.byte(2).time(retry.every);
  } else if ("pauses" in retry) {
    packer.byte(4).word(retry.pauses.length);
    retry.pauses.forEach((pause) => packer.time(pause));
  } else {
    packer.byte(3).time(retry.min).time(retry.max);
  }
  const { jitter } = retry;
  if (jitter === undefined) {
    packer.byte(0).byte(0);
  } else if (jitter === "none") {
    packer.byte(1).byte(0);
  } else if ("full" in jitter) {
    packer.byte(2).byte(Math.min(jitter.full, 100));
  } else {
    packer.byte(3).byte(Math.min(jitter.decorrelated, 255));
  }
  packer.word(retry.limit);
}

/** How one server is spoken to. */
export interface Login {
  /** The ACL user. Default: the default user. */
  username?: string | undefined;
  /** Its password. Default: none. */
  password?: Bytes | undefined;
  /** The number of the database. Default: 0. */
  database?: number | undefined;
  /**
   * Whether to speak RESP2 from the start, for a proxy that hangs up at `HELLO`; `?resp=2` in a URL says the same. Then a
   * loss is found out at the next renewal. Default: no.
   */
  resp2?: boolean | undefined;
}

/** @internal */
export interface Node {
  login: Login;
  /** A client of the user's, to be spared of greetings. */
  lent?: boolean | undefined;
}

/** @internal */
export function packConfig(packer: Packer, nodes: readonly Node[], options: ModeConnectOptions): Uint8Array {
  const { limits } = options;
  const arrangement = options.arrangement ?? (nodes.length > 1 ? "quorum" : "ordered");
  packer
    .start()
    .raw(crypto.getRandomValues(new Uint8Array(8)))
    .byte(arrangement === "quorum" ? 1 : 0)
    .time(options.requestTimeout)
    .time(options.connectTimeout)
    .time(options.reconnectMin)
    .time(options.reconnectMax)
    .blob(options.prefix)
    .blob(options.clientName)
    .word(limits?.locks)
    .word(limits?.answerBytes)
    .word(limits?.pendingRequests);
  if (MODES) {
    packAcks(packer, options.acks);
  }
  for (const { login, lent } of nodes) {
    packer
      .blob(login.username)
      .blob(login.password)
      .word(login.database ?? 0)
      // What is lent passes no reports on.
      .byte(options.tracking === false || lent ? 0 : 1)
      .byte(options.prepare ? 1 : 0)
      .byte(lent ? 1 : 0)
      .byte(login.resp2 ? 1 : 0);
  }
  return packer.bytes();
}

/** A random token. */
export class Drawn {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** As on the servers: base64url. Rarely needed here, and slow to make. */
  toString(): string {
    return btoa(String.fromCharCode(...this.bytes)).slice(0, 22).replaceAll("+", "-").replaceAll("/", "_");
  }
}

const TOKEN_BYTES = 16;
const TOKENS = 32;
const NONE = new Uint8Array();

/** Draws tokens. What it keeps must not outlive a turn: it could be in the snapshot of a machine, and be used twice. */
export class Supply {
  #bytes = NONE;
  #at = 0;

  draw(): Drawn {
    if (this.#at === this.#bytes.length) {
      // Drawing many costs no more than drawing one. A program that needs a second one soon will need more.
      const count = this.#at === 0 ? 1 : TOKENS;
      this.#bytes = crypto.getRandomValues(new Uint8Array(count * TOKEN_BYTES));
      this.#at = 0;
    }
    return new Drawn(this.#bytes.subarray(this.#at, (this.#at += TOKEN_BYTES)));
  }

  /** Forgets what it has not given yet. */
  drop(): void {
    this.#bytes = NONE;
    this.#at = 0;
  }
}
