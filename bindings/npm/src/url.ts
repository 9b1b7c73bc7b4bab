import { ArgumentError } from "./errors.js";
import type { Login } from "./options.js";

/** What a URL says. */
export type Address = { login: Login; /** For errors and logs: without secrets. */ shown: string } & (
  | { kind: "tcp"; host: string; port: number; tls: boolean }
  | { kind: "unix"; path: string }
  | { kind: "ws"; url: string }
);

const SCHEMES = "must start with redis://, rediss:// (with TLS), redis+unix:// or ws:// or wss:// (to a bridge)";

/** Reads `redis://[user[:password]@]host[:port][/database]` and its relatives. */
export function parse(given: string): Address {
  const text = given.trim();
  const bad = (reason: string): never => {
    throw new ArgumentError("bad_url", `the URL ${withoutSecrets(text)} ${reason}`);
  };
  const [, scheme, authority] = /^([\w+]+):\/\/([^/?]*)/.exec(text) ?? bad(SCHEMES);
  if (/^((redis|valkey)\+)?unix$/.test(scheme as string)) {
    return unix(text, bad);
  }
  const [, kind, s] = /^(redis|valkey|ws)(s?)$/.exec(scheme as string) ?? bad(SCHEMES);
  // Read as http, which all runtimes read alike.
  const url = read(text.replace(/^\w+/, "http"), bad);
  const login = { username: decoded(url.username, bad), password: decoded(url.password, bad) };
  if (url.hash !== "") {
    return bad("may not have a #; write it as %23 in a password");
  }
  if (kind === "ws") {
    const shown = `${scheme}://${(authority as string).replace(/^.*@/, "")}${url.pathname}`;
    return { kind, url: shown + url.search, login, shown };
  }
  // A port of 80 is the default of http, and not to be seen in the URL.
  const port = /:(\d+)$/.exec(authority as string)?.[1] ?? "6379";
  const host = decodeURIComponent(url.hostname).replace(/^\[|\]$/g, "");
  if (/[,/ ]/.test(host) || port === "0") {
    return bad("must name one host and port");
  }
  const more = queryOf(url.pathname.slice(1), url.searchParams, bad);
  const shown = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return { kind: "tcp", host, port: Number(port), tls: s !== "", login: { ...login, ...more }, shown };
}

function unix(text: string, bad: (reason: string) => never): Address {
  const rest = text.slice(text.indexOf("://") + 3);
  const [, user, path, query] = /^(?:(.*)@)?(?:localhost)?(\/[^?#]+)(?:\?([^#]*))?$/s.exec(rest) ?? bad("must be redis+unix:///path/to/socket");
  const [username, password] = (user ?? "").split(/:(.*)/s);
  const login = {
    username: decoded(username ?? "", bad),
    password: decoded(password ?? "", bad),
    ...queryOf("", new URLSearchParams(query), bad),
  };
  const decodedPath = decoded(path as string, bad) as string;
  return { kind: "unix", path: decodedPath, login, shown: decodedPath };
}

function read(text: string, bad: (reason: string) => never): URL {
  try {
    return new URL(text);
  } catch {
    return bad("cannot be read: it needs a host, and a port of at most 65535");
  }
}

function decoded(text: string, bad: (reason: string) => never): string | undefined {
  try {
    return text === "" ? undefined : decodeURIComponent(text);
  } catch {
    return bad("has a user, password or path that is not percent-encoded UTF-8");
  }
}

function queryOf(path: string, query: URLSearchParams, bad: (reason: string) => never): Login {
  const given = [...(path === "" ? [] : [path]), ...query.getAll("db")];
  if ([...query.keys()].some((name) => name !== "db" && name !== "resp")) {
    return bad("may have no other parameters than ?db=N and ?resp=2");
  }
  const resp = query.getAll("resp");
  if (resp.length > 1 || resp.some((version) => !/^[23]$/.test(version))) {
    return bad("must have resp=2 or resp=3, once");
  }
  if (given.length > 1 || given.some((number) => !/^\d{1,9}$/.test(number))) {
    return bad("must have one number as its database");
  }
  return { database: given[0] === undefined ? undefined : Number(given[0]), resp2: resp[0] === "2" };
}

/** A password that is not encoded may hold anything: all before the last `@` goes, and the query. */
function withoutSecrets(text: string): string {
  const start = text.indexOf("://");
  const [scheme, rest] = start < 0 ? ["", text] : [text.slice(0, start + 3), text.slice(start + 3)];
  const host = rest.includes("@") ? `…@${rest.slice(rest.lastIndexOf("@") + 1)}` : rest;
  return scheme + host.replace(/[?#].*/s, "");
}
