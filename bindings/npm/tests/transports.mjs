// Transports with a fake at the other end, which does what real ones do only now and then. From the sources, as units.mjs.
import assert from "node:assert/strict";
import { createServer, Socket } from "node:net";
import { test } from "node:test";
import { build } from "esbuild";

async function load(file) {
  const external = ["node:*"];
  const define = { MODES: "false" };
  const { outputFiles } = await build({ entryPoints: [file], bundle: true, format: "esm", write: false, external, define });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}

const { streams } = await load("src/transports/streams.ts");
const { dialNode } = await load("src/transports/node.ts");
const { lend } = await load("src/transports/commands.ts");

/** Until all that can happen by itself has happened. */
const quiet = () => new Promise((resolve) => setImmediate(resolve));

/** A listener that logs its calls, and does nothing. */
function listening() {
  const calls = [];
  const bytes = (value) => calls.push(Buffer.from(value).toString());
  return { calls, opened: () => calls.push("opened"), received: bytes, gone: (reason) => calls.push(`gone: ${reason}`) };
}

/** A connection whose other end is in the test's hands. */
function connection(more = {}) {
  const sent = [];
  const ends = { sent, closed: 0 };
  const readable = new ReadableStream({ start: (controller) => void (ends.server = controller) });
  const writable = new WritableStream({ write: (chunk) => void sent.push(Buffer.from(chunk).toString()) });
  return [ends, { readable, writable, close: () => (ends.closed += 1), ...more }];
}

test("bytes go through streams of the user's own", async () => {
  const [ends, own] = connection();
  const listener = listening();
  const wire = streams({ connect: () => own })(listener);
  await quiet();
  const bytes = Buffer.from("PING");
  wire.send(bytes);
  // The engine's memory changes at once.
  bytes.fill("x");
  ends.server.enqueue(Buffer.from("PONG"));
  await quiet();
  assert.deepEqual([ends.sent, listener.calls, ends.closed], [["PING"], ["opened", "PONG"], 0]);
  wire.close();
  await quiet();
  assert.equal(ends.closed, 1);
});

test("our end is closed when the server has left", async () => {
  const [ends, own] = connection();
  const listener = listening();
  streams({ connect: () => own })(listener);
  await quiet();
  ends.server.close();
  await quiet();
  assert.deepEqual(listener.calls, ["opened", "gone: the server closed the connection"]);
  assert.equal(ends.closed, 1, "by the transport itself: the listener may have turned to another connection");
});

test("our end is closed when reading fails, and when it cannot end its streams", async () => {
  const writer = {
    write: () => Promise.reject(new Error("broken pipe")),
    abort() {
      throw new TypeError("it has ended already");
    },
  };
  const [ends, own] = connection({ writable: { getWriter: () => writer } });
  const listener = listening();
  streams({ connect: () => own })(listener);
  await quiet();
  ends.server.error(new Error("reset"));
  await quiet();
  assert.deepEqual(listener.calls, ["opened", "gone: reset"]);
  assert.equal(ends.closed, 1);
});

test("a connection that comes too late is closed, and one that does not come is reported", async () => {
  const [ends, own] = connection();
  let come;
  const late = listening();
  streams({ connect: () => new Promise((resolve) => (come = resolve)) })(late).close();
  come(own);
  await quiet();
  assert.deepEqual([late.calls, ends.closed], [[], 1]);
  for (const connect of [() => Promise.reject(new Error("no route")), () => { throw new Error("no route"); }]) {
    const never = listening();
    streams({ connect })(never);
    await quiet();
    assert.deepEqual(never.calls, ["gone: no route"]);
  }
});

test("a lent client that fails is gone, however it does", async () => {
  for (const send of [() => Promise.reject(new Error("closed")), () => { throw new Error("closed"); }]) {
    const listener = listening();
    const wire = lend({ send }).dial(listener);
    await quiet();
    wire.send(Buffer.from("*1\r\n$4\r\nPING\r\n"));
    await quiet();
    assert.deepEqual(listener.calls, ["opened", "gone: closed"]);
  }
});

test("a lent client gets whole commands, and their replies are passed on in order", async () => {
  const listener = listening();
  const [asked, answer] = [[], []];
  const wire = lend({ send: (commands) => new Promise((resolve) => (asked.push(commands), answer.push(resolve))) }).dial(listener);
  await quiet();
  wire.send(Buffer.from("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPTTL\r\n"));
  wire.send(Buffer.from("*2\r\n$3\r\nSET\r\n$2\r\n\r\n\r\n"));
  const words = asked.map((commands) => commands.map((command) => command.map((word) => Buffer.from(word).toString())));
  assert.deepEqual(words, [[["GET", "k"], ["PTTL"]], [["SET", "\r\n"]]]);
  answer[1](["OK"]);
  await quiet();
  assert.deepEqual(listener.calls, ["opened"], "the first is not answered yet");
  answer[0]([Buffer.from("OK"), new Error("ERR no\r\n:1")]);
  await quiet();
  assert.equal(listener.calls.slice(1).join(""), "$2\r\nOK\r\n-ERR no :1\r\n+OK\r\n");
});

test("a connection of Node's is kept alive", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const given = [];
  const { setKeepAlive } = Socket.prototype;
  Socket.prototype.setKeepAlive = function (...options) {
    given.push(options);
    return setKeepAlive.apply(this, options);
  };
  try {
    const address = { kind: "tcp", host: "127.0.0.1", port: server.address().port, tls: false };
    const wire = await new Promise((resolve, reject) => {
      const listener = { opened: () => resolve(wire), received: () => {}, gone: reject };
      const wire = dialNode(address, {})(listener);
    });
    wire.close();
    assert.deepEqual(given, [[true, 30_000]]);
  } finally {
    Socket.prototype.setKeepAlive = setKeepAlive;
    server.close();
  }
});
