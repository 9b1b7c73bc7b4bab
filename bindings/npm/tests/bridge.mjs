// A bridge from WebSockets to TCP: `ws://host/6379` reaches port 6379 of this machine. For tests; one for other uses has to
// check who connects, and from where.
import { connect } from "node:net";
import { createRequire } from "node:module";

const { WebSocketServer } = createRequire(new URL("runtimes/package.json", import.meta.url))("ws");

export function bridge(server, isAllowed) {
  new WebSocketServer({ server }).on("connection", (socket, request) => {
    const port = Number(request.url.slice(1));
    if (!isAllowed(port)) {
      return socket.close();
    }
    const tcp = connect(port, "127.0.0.1");
    tcp.on("data", (bytes) => socket.send(bytes));
    tcp.on("error", () => {}).on("close", () => socket.close());
    socket.on("message", (bytes) => tcp.write(bytes));
    socket.on("error", () => {}).on("close", () => tcp.destroy());
  });
}
