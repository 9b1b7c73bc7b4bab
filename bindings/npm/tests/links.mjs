// TLS, Unix sockets, passwords and streams of the user's own, in runtimes with a command line: `links.mjs <control url>`.
import { ArgumentError, ConnectError, connect } from "tenure";

import { connect as dial } from "node:net";
import { Duplex } from "node:stream";

const [address] = globalThis.Deno?.args ?? process.argv.slice(2);
async function ask(what) {
  const response = await fetch(address, { method: "POST", body: JSON.stringify(what) });
  const { result, error } = await response.json();
  if (error !== undefined) {
    throw new Error(error);
  }
  return result;
}
const { port, ca, socket, password } = await ask({ secure: true });

async function holds(url, options) {
  const tenure = await connect(url, options);
  await tenure.using("k", { wait: 10_000 }, (lock) => lock.assertHeld());
  await tenure.close();
}

async function fails(kind, url, options, word) {
  const error = await connect(url, options).then(
    (tenure) => tenure.close(),
    (reason) => reason,
  );
  if (!(error instanceof kind) || !error.message.match(word) || error.message.includes(password)) {
    throw new Error(`${url}: ${error}`);
  }
}

/** Streams of the user's own are opened again when they are gone, and closed each time. */
async function ownStreams() {
  const plain = await ask({ start: true });
  const counts = { opened: 0, closed: 0 };
  const mine = {
    name: "mine",
    login: { database: 3 },
    connect() {
      counts.opened += 1;
      const socket = dial({ port: plain, host: "127.0.0.1" });
      const close = () => {
        counts.closed += 1;
        socket.destroy();
      };
      return { ...Duplex.toWeb(socket), close };
    },
  };
  const tenure = await connect(mine);
  const lock = await tenure.obtain("k");
  await ask({ port: plain, command: ["CLIENT", "KILL", "TYPE", "normal"] });
  await lock.refresh();
  const key = await ask({ port: plain, command: ["INFO", "keyspace"] });
  await lock.release();
  await tenure.close();
  if (counts.opened !== 2 || counts.closed !== 2 || !key.includes("db3:keys=1")) {
    throw new Error(JSON.stringify([counts, key]));
  }
}

const failures = {};
const tries = {
  tls: () => holds(`rediss://:${password}@localhost:${port}`, { tls: { ca } }),
  "unix socket": () => holds(`redis+unix://:${password}@${socket}`),
  "unknown authority": () => fails(ConnectError, `rediss://:${password}@localhost:${port}`, {}, /certificate|issuer|signed/i),
  "no TLS": () => fails(ConnectError, `redis://:${password}@localhost:${port}`, {}, /./),
  "wrong password": () => fails(ConnectError, `redis+unix://:wrong@${socket}`, {}, /WRONGPASS/),
  "nobody there": () => fails(ConnectError, "redis://127.0.0.1:1", {}, /refused/i),
  "own streams": ownStreams,
  "no URL": () => fails(ArgumentError, "localhost", {}, /redis:\/\//),
};
for (const [name, attempt] of Object.entries(tries)) {
  await attempt().catch((error) => (failures[name] = String(error?.stack ?? error)));
}
console.log(JSON.stringify({ failures, traces: {} }));
