// @ts-expect-error There are no types for it here.
import { connect } from "cloudflare:sockets";

import type { Platform } from "../connect.js";
import { ArgumentError } from "../errors.js";
import { streams } from "./streams.js";

/** @internal Sockets of Cloudflare Workers. */
export const dialWorkerd: NonNullable<Platform["dial"]> = (address, { tls: options }) => {
  if (address.kind === "unix") {
    throw new ArgumentError("bad_url", "this runtime has no Unix sockets");
  }
  if (options !== undefined) {
    throw new ArgumentError("bad_option", "tls: Workers take no options for it, and trust the authorities that are known to the public");
  }
  const { host: hostname, port, tls } = address;
  return streams({
    async connect() {
      const socket = connect({ hostname, port }, { secureTransport: tls ? "on" : "off" });
      await socket.opened;
      return socket;
    },
  });
};
