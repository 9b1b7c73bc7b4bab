// TLS, Unix sockets and passwords, in runtimes with a command line: `links.mjs <control url>`.
import { ArgumentError, ConnectError, connect } from "tenure";

const [address] = globalThis.Deno?.args ?? process.argv.slice(2);
const response = await fetch(address, { method: "POST", body: '{ "secure": true }' });
const { result } = await response.json();
const { port, ca, socket, password } = result;

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

const failures = {};
const tries = {
  tls: () => holds(`rediss://:${password}@localhost:${port}`, { tls: { ca } }),
  "unix socket": () => holds(`redis+unix://:${password}@${socket}`),
  "unknown authority": () => fails(ConnectError, `rediss://:${password}@localhost:${port}`, {}, /certificate|issuer|signed/i),
  "no TLS": () => fails(ConnectError, `redis://:${password}@localhost:${port}`, {}, /./),
  "wrong password": () => fails(ConnectError, `redis+unix://:wrong@${socket}`, {}, /WRONGPASS/),
  "nobody there": () => fails(ConnectError, "redis://127.0.0.1:1", {}, /refused/i),
  "no URL": () => fails(ArgumentError, "localhost", {}, /redis:\/\//),
};
for (const [name, attempt] of Object.entries(tries)) {
  await attempt().catch((error) => (failures[name] = String(error?.stack ?? error)));
}
console.log(JSON.stringify({ failures, traces: {} }));
