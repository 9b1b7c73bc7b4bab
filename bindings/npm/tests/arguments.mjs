// Every option of every call with values of all kinds: what its type does not allow is an ArgumentError that names it, and nothing
// starts. What is tried comes from the published types, so that a new option is tried, too.
//
//   node --test tests/arguments.mjs     after ./build; TENURE_ARGUMENTS=1 prints what was tried
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import ts from "typescript";

import { Control } from "./control.mjs";

const packed = createRequire(import.meta.url);
const { connect, ArgumentError, Locker, Lock } = packed("../dist/node.cjs");
const { lend, ioredis, nodeRedis, upstash } = packed("../dist/clients.cjs");

const control = await new Control().open();
const port = await control.startFresh();
const url = `redis://127.0.0.1:${port}`;
const tenure = await connect(url);
const held = await tenure.obtain("held", { ttl: 3_600_000 });
const send = async (commands) => commands.map(() => new Error("ERR no"));
let tried = 0;
test.after(async () => {
  await tenure.close();
  await control.close();
});

/** Values of all kinds. Each says of which it is. */
const VALUES = {
  null: null, true: true, zero: 0, number: 1_000, "negative number": -1, NaN: NaN, bigint: 5n, string: "x", symbol: Symbol("x"), array: [], "array of numbers": [5],
  "empty object": {}, function: () => {}, date: new Date(), map: new Map([["ttl", 5]]), controller: new AbortController(), signal: new AbortController().signal,
  bytes: Uint8Array.of(120), buffer: Buffer.from("x"), "array buffer": new ArrayBuffer(1), view: new DataView(new ArrayBuffer(1)), words: new Uint16Array(1), promise: Promise.resolve(1),
};

/** Which of them a type allows, by how it is written. */
const ALLOWED = {
  number: ["zero", "number"],
  boolean: ["true"],
  string: ["string"],
  Bytes: ["string", "bytes", "buffer"],
  AbortSignal: ["signal"],
  TlsOptions: ["empty object"],
  Login: ["empty object"],
  "readonly number[]": ["array", "array of numbers"],
  "RetryOptions | false": [],
  '"quorum" | "ordered"': [],
  '"none" | { full: number; } | { decorrelated: number; }': [],
  object: ["empty object"],
  function: ["function"],
};

function allowed(type) {
  const plain = type.replace(/ \| undefined/g, "");
  const kind = plain.startsWith("{") ? "object" : plain.includes("=>") ? "function" : plain;
  assert.ok(kind in ALLOWED, `what may ${type} be?`);
  return ALLOWED[kind];
}

const sources = ["options", "locker", "lock", "transports/streams", "transports/commands", "transports/upstash"].map((file) => {
  const text = readFileSync(new URL(`../dist/types/${file}.d.ts`, import.meta.url), "utf8");
  return ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
});
const nodesOf = (name) => sources.flatMap((source) => source.statements.filter((node) => node.name?.text === name));
const written = (node) => node.getText().replace(/\/\*\*.*?\*\/\s*/gs, "").replace(/\s+/g, " ");

/** The options of an interface by name, and how their types are written; of an alias, those of all its parts. */
function optionsOf(name) {
  const found = {};
  const visit = (node) => {
    if (ts.isPropertySignature(node)) {
      found[node.name.text] = written(node.type);
      if (ts.isTypeLiteralNode(node.type)) {
        return;
      }
    } else if (ts.isMethodSignature(node)) {
      found[node.name.text] = "() => unknown";
    } else {
      ts.forEachChild(node, visit);
    }
  };
  nodesOf(name).forEach((node) => ts.forEachChild(node, visit));
  assert.ok(Object.keys(found).length > 0, name);
  return found;
}

async function refused(what, name, call) {
  tried += 1;
  if (process.env.TENURE_ARGUMENTS) {
    console.log(what);
  }
  let promise;
  try {
    promise = call();
  } catch (error) {
    promise = Promise.reject(error);
  }
  const error = await Promise.resolve(promise).then(() => undefined, (reason) => reason);
  assert.ok(error instanceof ArgumentError, `${what}: ${error}`);
  assert.ok(error.message.includes(name), `${what}: ${error.message}`);
  assert.ok(error.message.length < 400, error.message);
}

/** No call gave the server anything to do, and no lock was lost. */
async function nothingStarted(run) {
  const before = await control.command(port, ["INFO", "commandstats"]);
  await run();
  const count = (text) => [...text.matchAll(/cmdstat_(?!info|client|ping)(\w+):calls=(\d+)/g)].map(([, name, calls]) => [name, calls]);
  assert.deepEqual(count(await control.command(port, ["INFO", "commandstats"])), count(before), "the server got no command");
  assert.equal(await control.command(port, ["DBSIZE"]), 1);
  await held.verify();
}

/** Each option of an interface with each value that its type does not allow, and names that it does not have. */
async function tryOptions(what, table, call, path = "") {
  for (const [option, type] of Object.entries(table)) {
    for (const [kind, value] of Object.entries(VALUES)) {
      if (!allowed(type).includes(kind)) {
        await refused(`${what} ${path}${option}: ${kind}`, `${path}${option}`, () => call({ [option]: value }));
      }
    }
  }
  for (const option of ["no_such_option", ...Object.keys(table).map((name) => name.toUpperCase()), ...Object.keys(table).map((name) => `${name}Ms`)]) {
    await refused(`${what} ${path}${option}`, `${path}${option}`, () => call({ [option]: 1 }));
    await refused(`${what} ${path}${option}: undefined`, `${path}${option}`, () => call({ [option]: undefined }));
  }
}

const OBTAIN = optionsOf("ObtainOptions");
const CONNECT = optionsOf("ConnectOptions");
const calls = {
  obtain: (options) => tenure.obtain("k", options),
  tryObtain: (options) => tenure.tryObtain("k", options),
  using: (options) => tenure.using("k", options, () => assert.fail("no work")),
};

for (const [name, call] of Object.entries(calls)) {
  test(`${name}: every option with values of wrong kinds`, () => nothingStarted(async () => {
    await tryOptions(name, OBTAIN, call);
    await tryOptions(name, optionsOf("RetryOptions"), (retry) => call({ retry }), "retry.");
    for (const jitter of ["all", {}, { full: 1, decorrelated: 2 }, { full: "1" }, { half: 1 }, [], true]) {
      await refused(`${name} retry.jitter: ${JSON.stringify(jitter)}`, "retry.jitter", () => call({ retry: { every: 1, jitter } }));
    }
    for (const retry of [true, {}, { min: 1 }, { max: 1 }, { every: 1, min: 1, max: 2 }, { every: 1, pauses: [] }, { pauses: [1, "1"] }, { pauses: [-1] }, { limit: 1 }]) {
      await refused(`${name} retry: ${JSON.stringify(retry)}`, "retry", () => call({ retry }));
    }
  }));
}

test("connect: every option with values of wrong kinds", () => nothingStarted(async () => {
  const call = (options) => connect(url, options);
  await tryOptions("connect", CONNECT, call);
  await tryOptions("connect", { locks: "number", answerBytes: "number", pendingRequests: "number" }, (limits) => call({ limits }), "limits.");
  await tryOptions("connect", optionsOf("TlsOptions"), (tls) => connect(`rediss://127.0.0.1:${port}`, { tls }), "tls.");
  await tryOptions("connect", optionsOf("Login"), (login) => connect({ connect: () => assert.fail("opened"), login }), "transport.login.");
  for (const arrangement of ["Quorum", "", "redlock", 1]) {
    await refused(`connect arrangement: ${arrangement}`, "arrangement", () => call({ arrangement }));
  }
}));

test("a transport, an endpoint and a lent client: every member with values of wrong kinds", () => nothingStarted(async () => {
  const { connect: _, ...members } = optionsOf("Transport");
  for (const [member, type] of Object.entries({ ...members, connect: "() => unknown" })) {
    for (const [kind, value] of Object.entries(VALUES)) {
      if (!allowed(type).includes(kind)) {
        await refused(`connect transport.${member}: ${kind}`, `transport.${member}`, () => connect({ connect: () => assert.fail("opened"), [member]: value }));
      }
    }
  }
  await tryOptions("lend", optionsOf("CommandTransport"), (more) => lend({ send, ...more }), "transport.");
  await tryOptions("upstash", optionsOf("UpstashOptions"), (more) => upstash({ url: "https://h", token: "t", ...more }));
  for (const [kind, value] of Object.entries(VALUES)) {
    await refused(`lend(${kind})`, "transport", () => lend(value));
    await refused(`upstash(${kind})`, "", () => upstash(value));
    await refused(`ioredis(${kind})`, "client", () => ioredis(value));
    await refused(`nodeRedis(${kind})`, "client", () => nodeRedis(value));
  }
}));

/** What each parameter of a method may be. */
const PARAMETERS = {
  keys: ["string", "bytes", "buffer"],
  options: ["empty object"],
  work: ["function"],
  ttl: ["number"],
};
const SAMPLES = { keys: "k", options: {}, work: () => {}, ttl: 1_000 };

/** The methods of a class, with their parameters by name. */
function methodsOf(name) {
  const [declared] = nodesOf(name);
  const methods = declared.members.filter((member) => ts.isMethodDeclaration(member) && ts.isIdentifier(member.name));
  return methods.map((method) => [method.name.text, method.parameters.map((parameter) => parameter.name.text)]);
}

for (const [type, object] of [["Locker", tenure], ["Lock", held]]) {
  test(`each parameter of ${type} with values of wrong kinds`, () => nothingStarted(async () => {
    for (const [method, parameters] of methodsOf(type)) {
      assert.equal(typeof object[method], "function", method);
      for (const [at, parameter] of parameters.entries()) {
        assert.ok(parameter in PARAMETERS, `what may ${parameter} of ${method} be?`);
        // A function in place of the options is the work.
        const overloaded = method === "using" && parameters.length === 2 && parameter === "work";
        for (const [kind, value] of Object.entries({ ...VALUES, "list of no keys": [null], set: new Set(["k"]), 'wrong list': ["k", 5] })) {
          if (PARAMETERS[parameter].includes(kind) || (parameter === "keys" && kind === "array") || (overloaded && kind === "empty object")) {
            continue;
          }
          const given = parameters.map((name) => SAMPLES[name]);
          given[at] = value;
          await refused(`${type}.${method} ${parameter}: ${kind}`, overloaded ? "" : parameter, () => object[method](...given));
        }
      }
    }
    await refused("obtain with a number for the options", "options", () => tenure.obtain("x", 5_000));
    await refused("no keys", "key", () => tenure.obtain([]));
    await refused("using without work", "work", () => tenure.using("k", {}));
    await refused("using without anything", "work", () => tenure.using());
  }));
}

test("connect: servers of wrong kinds", () => nothingStarted(async () => {
  const { Redis } = createRequire(new URL("runtimes/package.json", import.meta.url))("ioredis");
  const { createClient } = createRequire(new URL("runtimes/package.json", import.meta.url))("redis");
  const client = new Redis(port, "127.0.0.1", { lazyConnect: true });
  for (const raw of [client, createClient()]) {
    await refused("a client that is not lent", "tenure/clients", () => connect(raw));
    await refused("clients that are not lent", "tenure/clients", () => connect([url, raw]));
  }
  for (const [kind, value] of Object.entries({ ...VALUES, undefined: undefined, list: [[url]], "URL object": new URL("redis://h") })) {
    await refused(`connect(${kind})`, "", () => connect(value));
    await refused(`connect([${kind}])`, "", () => connect([value]));
  }
  await refused("a client twice", "twice", () => {
    const lent = () => lend({ name: "mine", send });
    const twice = lent();
    return connect([twice, twice, lent()]);
  });
  const alive = new Redis(port, "127.0.0.1", { lazyConnect: true, autoResendUnfulfilledCommands: false });
  await refused("one client in three hands", "twice", () => connect([ioredis(alive), ioredis(alive), ioredis(alive)]));
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
    assert.match(nodesOf(name)[0].getText(), /private constructor\(\);/, name);
  }
  assert.ok(Locker && Lock);
});

test("how many calls were tried", () => {
  console.log(`${tried} calls with wrong arguments`);
  assert.ok(tried > 2_000, `${tried}`);
});
