import type { Platform } from "../connect.js";
import { ArgumentError } from "../errors.js";
import type { TlsOptions } from "../options.js";
import type { Address } from "../url.js";
import { streams, type Connection } from "./streams.js";

type Socket = Connection & Partial<Record<"setNoDelay" | "setKeepAlive", (on: boolean) => void> & Record<"ref" | "unref", () => void>>;

/** As much of `Deno` as is used here. */
interface Deno {
  connect(options: object): Promise<Socket>;
  connectTls(options: object): Promise<Socket>;
}

/** @internal Sockets of Deno. */
export const dialDeno: NonNullable<Platform["dial"]> = (address, { tls }) => {
  if (tls?.servername !== undefined) {
    throw new ArgumentError("bad_option", "tls.servername is not known to Deno: connect to the name of the certificate");
  }
  return streams({
    async connect() {
      const socket = await open(address, tls);
      const { readable, writable } = socket;
      return { readable, writable, close: () => socket.close?.(), hold: (holds) => (holds ? socket.ref?.() : socket.unref?.()) };
    },
  });
};

async function open(address: Exclude<Address, { kind: "ws" }>, tls: TlsOptions | undefined): Promise<Socket> {
  const { Deno } = globalThis as unknown as { Deno: Deno };
  if (address.kind === "unix") {
    return Deno.connect({ transport: "unix", path: address.path });
  }
  const { host: hostname, port } = address;
  if (address.tls) {
    return Deno.connectTls({ hostname, port, caCerts: tls?.ca ? [tls.ca] : [], cert: tls?.cert, key: tls?.key });
  }
  const socket = await Deno.connect({ hostname, port });
  socket.setNoDelay?.(true);
  socket.setKeepAlive?.(true);
  return socket;
}
