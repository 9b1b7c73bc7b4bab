import type { Platform } from "../connect.js";
import { streams, type Connection } from "./streams.js";

/** As much of `Deno` as is used here. */
interface Deno {
  connect(options: object): Promise<Connection & { setNoDelay?(on: boolean): void; setKeepAlive?(on: boolean): void }>;
  connectTls(options: object): Promise<Connection>;
}

/** @internal Sockets of Deno. */
export const dialDeno: NonNullable<Platform["dial"]> = (address, { tls }) => {
  const { Deno } = globalThis as unknown as { Deno: Deno };
  return streams({
    async connect() {
      if (address.kind === "unix") {
        return Deno.connect({ transport: "unix", path: address.path });
      }
      const { host: hostname, port } = address;
      if (address.tls) {
        return Deno.connectTls({ hostname, port, caCerts: tls?.ca ? [tls.ca] : [], cert: tls?.cert, key: tls?.key });
      }
      const connection = await Deno.connect({ hostname, port });
      connection.setNoDelay?.(true);
      connection.setKeepAlive?.(true);
      return connection;
    },
  });
};
