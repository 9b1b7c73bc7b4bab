import { connect as connectTcp, isIP } from "node:net";
import { connect as connectTls } from "node:tls";

import { message, type Dial } from "../link.js";
import type { Platform } from "../connect.js";

/** The answers to some three hundred requests, which is what comes at once. More takes another look. */
const READ_BYTES = 4_096;

/** After how long a silence the system probes a connection. */
const KEEP_ALIVE_MS = 30_000;

/** @internal Sockets of Node and of what is compatible with it. */
export const dialNode: NonNullable<Platform["dial"]> = (address, { tls }): Dial => {
  return (listener) => {
    const secure = address.kind === "tcp" && address.tls;
    const received = (bytes: Uint8Array) => listener.received(bytes);
    // One buffer for all that comes, instead of a new one each time.
    const callback = (length: number, buffer: Uint8Array) => {
      received(buffer.subarray(0, length));
      return true;
    };
    const onread = { buffer: Buffer.allocUnsafeSlow(READ_BYTES), callback };
    const open = () => {
      if (address.kind === "unix") {
        return connectTcp({ path: address.path, onread });
      }
      const { host, port } = address;
      const servername = tls?.servername ?? (isIP(host) ? undefined : host);
      return secure ? connectTls({ ...tls, host, port, servername }) : connectTcp({ host, port, onread });
    };
    const socket = open();
    socket.setNoDelay(true);
    socket.once("connect", () => {
      // Keeps an idle connection open on its way and finds a dead one; while there are locks the core looks, too.
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
    });
    socket.once(secure ? "secureConnect" : "connect", () => listener.opened());
    // Where `onread` is not known, and with TLS.
    socket.on("data", received);
    socket.once("error", (error) => listener.gone(message(error)));
    socket.once("close", () => listener.gone("the server closed the connection"));
    const hold = (holds: boolean) => void (holds ? socket.ref() : socket.unref());
    return {
      // A copy in Node's pool of small buffers, which costs less than one of its own.
      send: (bytes) => void socket.write(Buffer.from(bytes)),
      close: () => {
        // Its later errors are ignored, but they must not be unhandled.
        socket.on("error", () => {});
        socket.destroy();
      },
      hold,
    };
  };
};
