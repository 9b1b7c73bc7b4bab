// Code of users in the hands of the package: signals, listeners, streams and clients that throw. Whatever they do, locks live on,
// and every request ends.
//
//   node --test tests/guard.mjs     after ./build
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { test } from "node:test";
import { promisify } from "node:util";

import { Control } from "./control.mjs";

const packed = createRequire(import.meta.url);
const { connect, ArgumentError } = packed("../dist/node.cjs");
const { lend } = packed("../dist/clients.cjs");
const HOUR = 3_600_000;

const control = await new Control().open();
const port = await control.startFresh();
const url = `redis://127.0.0.1:${port}`;
test.after(() => control.close());
test.beforeEach(() => control.command(port, ["FLUSHALL"]));

/** Runs a program that is given `connect`, `url` and `caught`, the errors that nobody handled; gives what it returns. */
async function program(body) {
  const code = `
    const { connect } = require(${JSON.stringify(packed.resolve("../dist/node.cjs"))});
    const { lend } = require(${JSON.stringify(packed.resolve("../dist/clients.cjs"))});
    const url = ${JSON.stringify(url)};
    const caught = [];
    process.on("uncaughtException", (error) => caught.push(error.message));
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    (async () => { ${body} })().then((outcome) => console.log(JSON.stringify(outcome)));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["-e", code], { timeout: 30_000 });
  return JSON.parse(stdout);
}

test("a signal that is none is refused before anything starts, and no lock is lost", async () => {
  const tenure = await connect(url);
  const held = await tenure.obtain("held", { ttl: HOUR });
  for (const signal of [new AbortController(), {}, true, "now", null, { aborted: false }]) {
    await assert.rejects(tenure.obtain("k", { signal }), (error) => error instanceof ArgumentError && /signal/.test(error.message));
    await assert.rejects(connect(url, { signal }), (error) => error instanceof ArgumentError && /signal/.test(error.message));
  }
  await held.verify();
  assert.equal(await control.command(port, ["DBSIZE"]), 1);
  await tenure.close();
  assert.equal(await control.command(port, ["DBSIZE"]), 0);
});

test("a signal that throws when a listener is added or removed is an error of that call only", async () => {
  const outcome = await program(`
    const tenure = await connect(url);
    const held = await tenure.obtain("held");
    const deaf = { aborted: false, addEventListener() { throw new Error("no listeners"); }, removeEventListener() {} };
    const first = await tenure.obtain("a", { signal: deaf }).catch((error) => error.message);
    const sticky = { aborted: false, addEventListener() {}, removeEventListener() { throw new Error("no removal"); } };
    const lock = await tenure.obtain("b", { signal: sticky });
    const taken = await tenure.obtain("held", { signal: sticky }).catch((error) => error.code);
    await held.verify();
    const again = { aborted: false, addEventListener() {}, removeEventListener() { void tenure.close(); } };
    await tenure.obtain("c", { signal: again });
    await tenure.close();
    return { first, taken, proof: await lock.release(), caught };`);
  assert.deepEqual(outcome, { first: "no listeners", taken: "taken", proof: "confirmed", caught: ["no removal", "no removal"] });
  assert.equal(await control.command(port, ["DBSIZE"]), 0);
});

test("a listener that throws is reported where errors of timers are, and hinders nobody else", async () => {
  const outcome = await program(`
    const events = [];
    const onEvent = (event) => { events.push(event.type); throw new Error(event.type); };
    const tenure = await connect(url, { onEvent });
    const lock = await tenure.obtain("a");
    const lost = [];
    for (const number of [1, 2]) {
      lock.signal.addEventListener("abort", () => { lost.push(number); throw new Error("listener " + number); });
    }
    const other = await tenure.obtain("b");
    await tenure.close();
    await turn();
    return { events, lost, proof: await other.release(), caught: caught.sort() };`);
  const events = ["node_ready", "obtained", "obtained", "released", "released"];
  assert.deepEqual(outcome, { events, lost: [1, 2], proof: "confirmed", caught: [...events, "listener 1", "listener 2"].sort() });
});

test("a listener that asks for more in the middle of events is answered, and events stay in order", async () => {
  const events = [];
  const more = [];
  const tenure = await connect(url, {
    onEvent({ type, keys }) {
      events.push(`${type} ${keys ?? ""}`);
      if (type === "obtained" && more.length < 40) {
        more.push(tenure.obtain(`more-${more.length}`));
      }
    },
  });
  await tenure.obtain("first");
  while (more.length < 40) {
    await control.command(port, ["PING"]);
  }
  await Promise.all(more);
  await tenure.close();
  assert.equal(events.filter((event) => event.startsWith("obtained")).length, 41);
  assert.equal(events.filter((event) => event.startsWith("released")).length, 41);
});

test("streams that throw are gone, and opened again", async () => {
  const outcome = await program(`
    const { connect: dial } = require("node:net");
    const { Duplex } = require("node:stream");
    let broken;
    let opened = 0;
    const transport = {
      connect() {
        opened += 1;
        const socket = dial(new URL(url).port, "127.0.0.1");
        const { readable, writable } = Duplex.toWeb(socket);
        const writer = writable.getWriter();
        const write = (bytes) => {
          if (broken) { broken = false; throw new Error("write"); }
          return writer.write(bytes);
        };
        const close = () => { socket.destroy(); throw new Error("close"); };
        return { readable, writable: { getWriter: () => ({ write, abort() { throw new Error("abort"); } }) }, close };
      },
    };
    const tenure = await connect(transport);
    const lock = await tenure.obtain("k");
    broken = true;
    await lock.refresh();
    const proof = await lock.release();
    await tenure.close();
    return { opened, proof, caught };`);
  assert.deepEqual(outcome, { opened: 2, proof: "confirmed", caught: [] });
});

for (const [name, send] of Object.entries({
  "throws at once": "() => { throw new Error('no'); }",
  "gives nothing": "() => undefined",
  "gives too little": "() => []",
  "gives what is no list": "async (commands) => ({ length: commands.length })",
  "is rejected with nothing": "() => Promise.reject()",
})) {
  test(`a client whose send ${name} is an error of connect`, async () => {
    const outcome = await program(`
      const error = await connect(lend({ name: "mine", send: ${send} })).catch((error) => error);
      return { name: error.name, caught };`);
    assert.deepEqual(outcome, { name: "ConnectError", caught: [] });
  });
}

test("a wire of somebody's own that throws in every hand", async () => {
  const outcome = await program(`
    const fail = () => { throw new Error("wire"); };
    const dials = [
      fail,
      (listener) => (queueMicrotask(listener.opened), { send: fail, close: fail, hold: fail }),
      (listener) => { listener.opened(); return { send() { listener.gone("at once"); }, close: fail }; },
    ];
    const names = [];
    for (const dial of dials) {
      names.push((await connect({ name: "mine", textOnly: false, dial }).catch((error) => error)).name);
    }
    return { names, caught };`);
  assert.deepEqual(outcome, { names: ["ConnectError", "ConnectError", "ConnectError"], caught: [] });
});

for (const [what, chunk] of [["null", "null"], ["an ArrayBuffer", "new ArrayBuffer(5)"], ["text", "'+OK'"]]) {
  test(`${what} from a stream is an error of that stream`, async () => {
    const outcome = await program(`
      const readable = new ReadableStream({ start: (controller) => controller.enqueue(${chunk}) });
      const writable = new WritableStream();
      const error = await connect({ name: "mine", connect: () => ({ readable, writable }) }).catch((error) => error);
      return { name: error.name, message: error.message, caught };`);
    assert.deepEqual([outcome.name, outcome.caught], ["ConnectError", []]);
    assert.match(outcome.message, /^0 of 1 .*mine: mine gave (null|object|string) instead of a Uint8Array/);
  });
}

test("a WebSocket that cannot be reached is an error of connect", async () => {
  const ws = JSON.stringify(createRequire(new URL("runtimes/package.json", import.meta.url)).resolve("ws"));
  const outcome = await program(`
    globalThis.WebSocket = require(${ws});
    const error = await connect("ws://127.0.0.1:1/").catch((error) => error);
    await turn();
    return { name: error.name, caught };`);
  assert.deepEqual(outcome, { name: "ConnectError", caught: [] });
});

const TRAPS = ["obtain", "inspect", "refresh", "stop_renewing", "expires", "release", "close", "received", "connected", "disconnected", "timeout", "poll", "drained", "reserve"];
for (const name of TRAPS) {
  test(`everything settles when the engine traps in ${name}`, async () => {
    const outcome = await program(`
      const { Instance } = WebAssembly;
      let trap = false;
      WebAssembly.Instance = function (module, imports) {
        const instance = new Instance(module, imports);
        const real = instance.exports.${name};
        const trapping = (...values) => { if (trap) throw new WebAssembly.RuntimeError("unreachable"); return real(...values); };
        return { exports: { ...instance.exports, ${name}: trapping } };
      };
      const tenure = await connect(url, { requestTimeout: 300 });
      WebAssembly.Instance = Instance;
      const other = await connect(url);
      const [lock, released] = await Promise.all([tenure.obtain("k"), tenure.obtain("j")]);
      const kept = await other.obtain("kept");
      trap = true;
      const lost = new Promise((resolve) => lock.signal.addEventListener("abort", () => resolve(lock.signal.reason.name)));
      const asked = [
        () => lock.stopRenewing(),
        () => lock.isHeld(),
        () => tenure.obtain("k", { wait: 50 }),
        () => tenure.obtain("x".repeat(1000), { metadata: "x".repeat(4000) }),
        () => tenure.inspect("k"),
        () => lock.refresh(),
        () => lock.verify(),
        () => released.release(),
        () => other.obtain("y"),
      ].map(async (ask) => ask());
      const all = Promise.allSettled(asked);
      const id = await new Promise((resolve) => setImmediate(resolve));
      void other.obtain("k", { wait: 1 }).catch(() => {});
      const { connect: dial } = require("node:net");
      const socket = dial(new URL(url).port, "127.0.0.1", () => socket.write("CLIENT KILL TYPE normal SKIPME yes\\r\\n"));
      socket.on("data", () => socket.end());
      const results = await all;
      const closed = await tenure.close().then(() => "closed");
      await kept.refresh();
      await other.close();
      return { lost: await lost, closed, wrong: results.map(({ reason }) => reason?.name).filter((name) => name && !/^(NotObtained|Engine|LockLost|Inspect|Closed)Error$/.test(name)), caught };`);
    assert.deepEqual([outcome.closed, outcome.wrong, outcome.caught], ["closed", [], []]);
    assert.match(outcome.lost, /LockLostError/);
  });
}

test("a trap while the engine is made is an EngineError, and the next one works", async () => {
  const outcome = await program(`
    const { Instance } = WebAssembly;
    WebAssembly.Instance = function () { throw new RangeError("out of memory"); };
    const error = await connect(url).catch((error) => error);
    WebAssembly.Instance = Instance;
    await (await connect(url)).close();
    return { name: error.name, cause: error.cause?.name, caught };`);
  assert.deepEqual(outcome, { name: "EngineError", cause: "RangeError", caught: [] });
});
