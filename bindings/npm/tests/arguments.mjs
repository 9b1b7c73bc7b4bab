// Every option of every call with values of all kinds: what its type does not allow is an ArgumentError that names it, and nothing
// starts. What is tried comes from the published types, so that a new option is tried, too.
//
//   node --test tests/arguments.mjs     after ./build; TENURE_ARGUMENTS=1 prints what was tried
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

import { Control } from "./control.mjs";
import { Trial, VALUES, allowed } from "./kinds.mjs";

const packed = createRequire(import.meta.url);
const { connect, ArgumentError, Locker, Lock } = packed("../dist/node.cjs");
const { lend, ioredis, nodeRedis, upstash } = packed("../dist/clients.cjs");

const control = await new Control().open();
const port = await control.startFresh();
const url = `redis://127.0.0.1:${port}`;
const tenure = await connect(url);
const held = await tenure.obtain("held", { ttl: 3_600_000 });
const send = async (commands) => commands.map(() => new Error("ERR no"));
test.after(async () => {
  await tenure.close();
  await control.close();
});

const types = ["options", "locker", "lock", "transports/streams", "transports/commands", "transports/upstash"].map((file) => `types/${file}`);
const trial = new Trial(ArgumentError, types);

/** No call gave the server anything to do, and no lock was lost. */
async function nothingStarted(run) {
  const before = await control.command(port, ["INFO", "commandstats"]);
  await run();
  const count = (text) => [...text.matchAll(/cmdstat_(?!info|client|ping)(\w+):calls=(\d+)/g)].map(([, name, calls]) => [name, calls]);
  assert.deepEqual(count(await control.command(port, ["INFO", "commandstats"])), count(before), "the server got no command");
  assert.equal(await control.command(port, ["DBSIZE"]), 1);
  await held.verify();
}

const OBTAIN = trial.optionsOf("ObtainOptions");
const CONNECT = trial.optionsOf("ConnectOptions");
const calls = {
  obtain: (options) => tenure.obtain("k", options),
  tryObtain: (options) => tenure.tryObtain("k", options),
  using: (options) => tenure.using("k", options, () => assert.fail("no work")),
};

for (const [name, call] of Object.entries(calls)) {
  test(`${name}: every option with values of wrong kinds`, () => nothingStarted(async () => {
    await trial.tryOptions(name, OBTAIN, call);
    await trial.tryOptions(name, trial.optionsOf("RetryOptions"), (retry) => call({ retry }), "retry.");
    for (const jitter of ["all", {}, { full: 1, decorrelated: 2 }, { full: "1" }, { half: 1 }, [], true]) {
      await trial.refused(`${name} retry.jitter: ${JSON.stringify(jitter)}`, "retry.jitter", () => call({ retry: { every: 1, jitter } }));
    }
    for (const retry of [true, {}, { min: 1 }, { max: 1 }, { every: 1, min: 1, max: 2 }, { every: 1, pauses: [] }, { pauses: [1, "1"] }, { pauses: [-1] }, { limit: 1 }]) {
      await trial.refused(`${name} retry: ${JSON.stringify(retry)}`, "retry", () => call({ retry }));
    }
  }));
}

test("connect: every option with values of wrong kinds", () => nothingStarted(async () => {
  const call = (options) => connect(url, options);
  await trial.tryOptions("connect", CONNECT, call);
  await trial.tryOptions("connect", { locks: "number", answerBytes: "number", pendingRequests: "number" }, (limits) => call({ limits }), "limits.");
  await trial.tryOptions("connect", trial.optionsOf("TlsOptions"), (tls) => connect(`rediss://127.0.0.1:${port}`, { tls }), "tls.");
  await trial.tryOptions("connect", trial.optionsOf("Login"), (login) => connect({ connect: () => assert.fail("opened"), login }), "transport.login.");
  for (const acks of [{ received: 1 }, {}, true]) {
    await trial.refused("connect acks", "acks is an option of the entry tenure/modes only", () => call({ acks }));
  }
  for (const arrangement of ["Quorum", "", "redlock", 1]) {
    await trial.refused(`connect arrangement: ${arrangement}`, "arrangement", () => call({ arrangement }));
  }
}));

test("a transport, an endpoint and a lent client: every member with values of wrong kinds", () => nothingStarted(async () => {
  const { connect: _, ...members } = trial.optionsOf("Transport");
  for (const [member, type] of Object.entries({ ...members, connect: "() => unknown" })) {
    for (const [kind, value] of Object.entries(VALUES)) {
      if (!allowed(type).includes(kind)) {
        await trial.refused(`connect transport.${member}: ${kind}`, `transport.${member}`, () => connect({ connect: () => assert.fail("opened"), [member]: value }));
      }
    }
  }
  await trial.tryOptions("lend", trial.optionsOf("CommandTransport"), (more) => lend({ send, ...more }), "transport.");
  await trial.tryOptions("upstash", trial.optionsOf("UpstashOptions"), (more) => upstash({ url: "https://h", token: "t", ...more }));
  for (const [kind, value] of Object.entries(VALUES)) {
    await trial.refused(`lend(${kind})`, "transport", () => lend(value));
    await trial.refused(`upstash(${kind})`, "", () => upstash(value));
    await trial.refused(`ioredis(${kind})`, "client", () => ioredis(value));
    await trial.refused(`nodeRedis(${kind})`, "client", () => nodeRedis(value));
  }
}));

for (const [type, object] of [["Locker", tenure], ["Lock", held]]) {
  test(`each parameter of ${type} with values of wrong kinds`, () => nothingStarted(async () => {
    await trial.tryMethods(type, object);
    await trial.refused("obtain with a number for the options", "options", () => tenure.obtain("x", 5_000));
    await trial.refused("no keys", "key", () => tenure.obtain([]));
    await trial.refused("using without work", "work", () => tenure.using("k", {}));
    await trial.refused("using without anything", "work", () => tenure.using());
  }));
}

test("connect: servers of wrong kinds", () => nothingStarted(async () => {
  const { Redis } = createRequire(new URL("runtimes/package.json", import.meta.url))("ioredis");
  const { createClient } = createRequire(new URL("runtimes/package.json", import.meta.url))("redis");
  const client = new Redis(port, "127.0.0.1", { lazyConnect: true });
  for (const raw of [client, createClient()]) {
    await trial.refused("a client that is not lent", "tenure/clients", () => connect(raw));
    await trial.refused("clients that are not lent", "tenure/clients", () => connect([url, raw]));
  }
  for (const [kind, value] of Object.entries({ ...VALUES, undefined: undefined, list: [[url]], "URL object": new URL("redis://h") })) {
    await trial.refused(`connect(${kind})`, "", () => connect(value));
    await trial.refused(`connect([${kind}])`, "", () => connect([value]));
  }
  await trial.refused("a client twice", "twice", () => {
    const lent = () => lend({ name: "mine", send });
    const twice = lent();
    return connect([twice, twice, lent()]);
  });
  const alive = new Redis(port, "127.0.0.1", { lazyConnect: true, autoResendUnfulfilledCommands: false });
  await trial.refused("one client in three hands", "twice", () => connect([ioredis(alive), ioredis(alive), ioredis(alive)]));
}));

test("what was given may change afterwards", async () => {
  const [key, token, metadata] = ["key", "token", "metadata"].map((text) => Buffer.from(text));
  const keys = [key, "other"];
  const options = { token, metadata, ttl: 3_600_000 };
  const obtaining = tenure.obtain(keys, options);
  [key, token, metadata].forEach((bytes) => bytes.fill("!"));
  keys.pop();
  options.ttl = 1;
  const lock = await obtaining;
  await lock.refresh();
  await lock.verify();
  assert.deepEqual([lock.token, Buffer.from(lock.metadata).toString(), Buffer.from(lock.key).toString(), lock.keys.length], ["token", "metadata", "key", 2]);
  assert.equal(await control.command(port, ["GET", "key"]), "tokenmetadata");
  assert.equal(await lock.release(), "confirmed");
});

test("each option is read once, and one that throws is an error of that call", async () => {
  let reads = 0;
  const lock = await tenure.obtain("k", { get ttl() { reads += 1; return 3_600_000; } });
  assert.equal(reads, 1);
  await lock.release();
  await assert.rejects(tenure.obtain("k", { get wait() { throw new Error("mine"); } }), { message: "mine" });
  await held.verify();
});

test("no class can be made by users", () => {
  for (const name of ["Locker", "Lock"]) {
    assert.match(trial.nodesOf(name)[0].getText(), /private constructor\(\);/, name);
  }
  assert.ok(Locker && Lock);
});

test("how many calls were tried", () => {
  console.log(`${trial.tried} calls with wrong arguments`);
  assert.ok(trial.tried > 2_000, `${trial.tried}`);
});
