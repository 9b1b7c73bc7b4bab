import { fromBase64 } from "../base64.js";
import { checked, text } from "../check.js";
import { ArgumentError } from "../errors.js";
import type { Lent } from "../link.js";
import { lend, type Reply } from "./commands.js";

/** Where a database of Upstash is, as its console says it. */
export interface UpstashOptions {
  /** The address of its REST interface, `https://…`. */
  url: string;
  /** The token that may write. */
  token: string;
}

/** What one command was answered with. */
type Answer = { result?: unknown; error?: unknown } | null | undefined;

const BAD_REQUEST = 400;

/**
 * A database of Upstash, or another server with its REST format, through `fetch`. Each request ends before the next one
 * begins, which takes along all commands of the meantime. It carries text only.
 *
 * Throws an `ArgumentError`.
 */
export function upstash(options: UpstashOptions): Lent {
  const { name, base } = endpoint(options);
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  // A replica that answers the next request has to know what this one did.
  let sync = "";
  return lend({
    name,
    oneAtATime: true,
    textOnly: true,
    async send(commands, signal) {
      const words = commands.map((command) => command.map((word) => utf8.decode(word)));
      const alone = words.length === 1;
      const response = await fetch(base + (alone ? "" : "/pipeline"), {
        method: "POST",
        headers: {
          authorization: `Bearer ${options.token}`,
          "content-type": "application/json",
          "upstash-encoding": "base64",
          ...(sync && { "upstash-sync-token": sync }),
        },
        body: JSON.stringify(alone ? words[0] : words),
        signal,
        // An answer out of somebody's cache would be a lock for two. Some runtimes keep none, and do not know the option.
        ...("cache" in Request.prototype && { cache: "no-store" }),
      });
      const answer = await response.json().catch(() => undefined);
      // The status of a command that failed by itself; any other says that none was carried out, or nobody knows.
      if (!response.ok && !(alone && response.status === BAD_REQUEST)) {
        throw new Error(typeof answer?.error === "string" ? answer.error : `HTTP status ${response.status}`);
      }
      sync = response.headers.get("upstash-sync-token") ?? sync;
      // One answer, or a list of them: anything else is refused as one answer is.
      return [answer].flat().map(replyOf);
    },
  });
}

/** Neither what is shown nor an error may have a secret in it. */
function endpoint(options: UpstashOptions): { name: string; base: string } {
  const { url = "", token = "" } = checked(options, "", { url: text, token: text });
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    throw new ArgumentError("bad_url", "the address of an Upstash database begins with https://");
  }
  // Runtimes show a header that they refuse.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new ArgumentError("bad_option", "a token of Upstash is one word");
  }
  return { name: parsed.host, base: parsed.origin + parsed.pathname.replace(/\/+$/, "") };
}

function replyOf(answer: Answer): Reply {
  return typeof answer?.error === "string" ? new Error(answer.error) : decoded(answer?.result);
}

/** All strings are base64, but for `OK`. */
function decoded(result: unknown): Reply {
  if (result === null || result === "OK" || typeof result === "number") {
    return result;
  }
  if (typeof result === "string") {
    return fromBase64(result);
  }
  if (Array.isArray(result)) {
    return result.map(decoded);
  }
  throw new Error("it does not speak the REST format of Upstash");
}
