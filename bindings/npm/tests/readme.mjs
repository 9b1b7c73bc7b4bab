// Runs the examples of README.md as printed, with nothing changed but the address of the server. What they leave
// to the reader, such as the work to be done, is put behind them.
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { Rest } from "./rest.mjs";
import { ask, byWrangler } from "./workers.mjs";

const ADDRESS = "redis://127.0.0.1:6379";
const TLS_ADDRESS = "rediss://me:password@localhost:6380";
const SENTINEL_PORT = "26379";

/** The examples by their names. All of TypeScript has one; the project's own page begins with the first of them. */
function examples() {
  const [text, project, failover] = ["../README.md", "../../../README.md", "../../../core/docs/failover.md"].map((path) => readFileSync(new URL(path, import.meta.url), "utf8"));
  const named = [...text.matchAll(/<!-- run: (\w+) -->\n```ts\n(.*?)```/gs)].map(([, name, code]) => [name, code]);
  const all = text.match(/^```ts$/gm).length;
  if (named.length !== all) {
    throw new Error(`${named.length} of ${all} examples say how they are run`);
  }
  if (!project.includes(named[0][1])) {
    throw new Error("the project's page has another first example");
  }
  const byName = Object.fromEntries(named);
  if (!failover.includes(`\`\`\`ts\n${byName.acks}\`\`\``)) {
    throw new Error("core/docs/failover.md has another example of acks");
  }
  return byName;
}

/** Work that checks whether a key is held on one of the servers; it counts how often it was done. */
const work = (control, ports) => `
async function work({ signal }) {
  let keys = 0;
  for (const port of [${ports}]) {
    const response = await fetch("${control.url}", { method: "POST", body: JSON.stringify({ port, command: ["DBSIZE"] }) });
    keys += (await response.json()).result;
  }
  if (signal.aborted || keys === 0) {
    throw new Error("the lock is not held");
  }
  return (globalThis.worked = (globalThis.worked ?? 0) + 1);
}
`;

const ONCE = 'if (globalThis.worked !== 1) throw new Error("the work was not done once");';
const USE = "await locker.using('nightly', work); await locker.close();";
const environment = ({ url, token }) => ({ UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token });

/** What stands before and behind each example that is a program of Node. */
const programs = {
  lock: () => ["", ""],
  using: () => [`import { connect } from "tenure"; const locker = await connect("${ADDRESS}");`, "await locker.close();"],
  fence: () => [
    `import { Redis } from "ioredis"; import { connect } from "tenure";
    const redis = new Redis("${ADDRESS}"); const locker = await connect("${ADDRESS}");`,
    `if (isSet !== 1 || (await redis.get("report")) !== "done") throw new Error("it is not written");
    await work(lock); await lock.release(); await locker.close(); await redis.flushall(); redis.disconnect();`,
  ],
  modes: () => ["", "await locker.close();"],
  acks: () => ["", ""],
  locks: () => ["", ""],
  upstash: (rest) => ["", `await nightly(${JSON.stringify(environment(rest))});`],
  ioredis: () => ["", `${USE} redis.disconnect();`],
  cluster: () => ["", "await work(lock); await lock.release(); await locker.close(); cluster.destroy();"],
  tls: () => ["", USE],
  sentinel: () => ["", `${USE} redis.disconnect();`],
  commands: () => [
    `import { Redis } from "ioredis"; const redis = new Redis("${ADDRESS}");`,
    `${USE} redis.disconnect();
    function carryOut(commands) {
      return Promise.all(commands.map(([name, ...words]) => redis.callBuffer(String(Buffer.from(name)), words.map((word) => Buffer.from(word)))));
    }`,
  ],
  transport: () => [
    `import { connect } from "tenure"; import { connect as tcp } from "node:net"; import { Duplex } from "node:stream";
    const password = undefined;
    const openSomehow = () => Duplex.toWeb(tcp(new URL("${ADDRESS}").port, "127.0.0.1"));
    const locker =`,
    USE,
  ],
};

/** The code after each example that is run as a Worker, which wrangler has bundled. */
const workers = { worker: "", upstash: "export default { fetch: async (_, env) => Response.json(await nightly(env)) };" };

async function runProgram(name, code, { directory, control, rest, ports, secure, sentinel }) {
  const [before, after] = programs[name](rest);
  const whole = [before, code, after, ONCE, work(control, ports)].join("\n");
  const file = join(directory, `${name}.mjs`);
  writeFileSync(join(directory, "ca.pem"), secure.ca);
  const changed = whole
    .replaceAll(ADDRESS, `redis://127.0.0.1:${ports[0]}`)
    .replaceAll(TLS_ADDRESS, `rediss://me:${secure.password}@localhost:${secure.port}`)
    .replaceAll(SENTINEL_PORT, `${sentinel}`);
  writeFileSync(file, changed);
  await promisify(execFile)(process.execPath, [file], { cwd: directory, timeout: 30_000 });
}

async function runWorker(name, code, { project, control, rest, ports }) {
  const entry = `example-${name}.mjs`;
  writeFileSync(join(project, entry), [code, workers[name], work(control, ports)].join("\n"));
  const bindings = { ...environment(rest), REDIS_URL: `redis://127.0.0.1:${ports[0]}` };
  const worked = await ask(await byWrangler(project, entry), "http://worker/", bindings);
  if (worked !== 1) {
    throw new Error(`the Worker answered ${worked}`);
  }
}

export async function readme(project, control) {
  const failures = {};
  const [single, masters] = [[await control.startFresh()], await control.startCluster()];
  const secure = await control.startSecure({});
  await control.command(secure.plain, ["ACL", "SETUSER", "me", "on", `>${secure.password}`, "~*", "&*", "+@all"]);
  const sentinel = await control.startSentinel(single[0]);
  const rest = await new Rest(single[0]).open();
  const followed = await control.startFresh({ "repl-diskless-sync-delay": 0 });
  await control.command(await control.startFresh(), ["REPLICAOF", "127.0.0.1", `${followed}`]);
  const directory = join(project, "examples");
  mkdirSync(join(directory, "node_modules"), { recursive: true });
  for (const client of ["ioredis", "redis"]) {
    symlinkSync(new URL(`runtimes/node_modules/${client}`, import.meta.url).pathname, join(directory, "node_modules", client));
  }
  for (const [name, code] of Object.entries(examples())) {
    const ports = { cluster: masters, tls: [secure.plain], acks: [followed] }[name] ?? single;
    const runs = [name in programs && runProgram, name in workers && runWorker].filter(Boolean);
    for (const run of runs) {
      try {
        await run(name, code, { project, directory, control, rest, ports, secure, sentinel });
        const left = await Promise.all(ports.map((port) => control.command(port, ["DBSIZE"])));
        if (left.some((keys) => keys > 0)) {
          throw new Error("keys are left");
        }
      } catch (error) {
        failures[`${name}, ${run.name}`] = String(error?.stack ?? error);
      }
    }
    if (runs.length === 0) {
      failures[name] = "nobody knows how to run it";
    }
  }
  rest.close();
  return { failures };
}
