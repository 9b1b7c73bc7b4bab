// A proxy that loses the answer to a write on demand: the server has acted, and the client does not know.
import { once } from "node:events";
import { connect, createServer } from "node:net";

// But not what shows on each new connection that scripts can be run.
const WRITE = /\r\n(SET|MSETEX|EVAL|EVALSHA|DELIFEQ|DELEX)\r\n(?!\$8\r\nreturn 1\r\n)/;

export class Lossy {
  #target;
  #sockets = new Set();
  #server = createServer((client) => this.#relay(client));
  #armed = 0;

  constructor(target) {
    this.#target = target;
  }

  /** Its port. */
  async open() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this.#server.address().port;
  }

  close() {
    this.#server.close();
    this.#sockets.forEach((socket) => socket.destroy());
  }

  /** The answers to so many writes are lost, and their connections with them. */
  lose(count) {
    this.#armed = count;
  }

  #relay(client) {
    const server = connect(this.#target, "127.0.0.1");
    let isLost = false;
    client.on("data", (bytes) => {
      if (this.#armed > 0 && !isLost && WRITE.test(bytes.toString("latin1"))) {
        this.#armed -= 1;
        isLost = true;
      }
      server.write(bytes);
    });
    server.on("data", (bytes) => {
      if (isLost) {
        client.destroy();
        // It still carries out what it has not read yet.
        server.end();
      } else {
        client.write(bytes);
      }
    });
    for (const [socket, other] of [[client, server], [server, client]]) {
      this.#sockets.add(socket);
      socket.on("error", () => {}).on("close", () => {
        this.#sockets.delete(socket);
        other.end();
      });
    }
  }
}
