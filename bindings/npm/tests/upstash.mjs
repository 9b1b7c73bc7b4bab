// Locks over the REST format of Upstash, against a bridge that its own published client is tried with first.
//
//   node tests/upstash.mjs     after ./build
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

import { Control } from "./control.mjs";
import { Rest } from "./rest.mjs";

const from = createRequire(new URL("runtimes/package.json", import.meta.url));
const packed = createRequire(import.meta.url);
const { connect, ArgumentError, ConnectError } = packed("../dist/node.cjs");
const { ioredis, upstash } = packed("../dist/clients.cjs");
const { Redis } = from("@upstash/redis");

const control = await new Control().open();
const port = await control.startFresh();
const rest = await new Rest(port).open();
const endpoint = { url: rest.url, token: rest.token };
test.after(async () => {
  rest.close();
  await control.close();
});
test.beforeEach(async () => {
  await control.command(port, ["FLUSHALL"]);
  Object.assign(rest, { requests: [], together: 0, instead: undefined, lost: 0 });
});

test("the bridge speaks to the published client", async () => {
  const options = { enableTelemetry: false, enableAutoPipelining: false, automaticDeserialization: false, retry: false };
  const redis = new Redis({ ...endpoint, ...options });
  assert.equal(await redis.set("k", "ä\u0000\u{1f512}", { px: 10_000, nx: true }), "OK");
  assert.equal(await redis.set("k", "other", { nx: true }), null);
  assert.equal(await redis.get("k"), "ä\u0000\u{1f512}");
  assert.equal(await control.command(port, ["GET", "k"]), "ä\u0000\u{1f512}");
  assert.ok((await redis.pttl("k")) > 0);
  assert.deepEqual(await redis.eval("return {KEYS[1], ARGV[1], 7, {false}}", ["k"], ["v"]), ["k", "v", 7, [null]]);
  await assert.rejects(redis.evalsha("0".repeat(40), [], []), /NOSCRIPT/);
  const pipeline = redis.pipeline().set("n", "x").incr("n").exists("n", "k");
  const answers = await pipeline.exec({ keepErrors: true });
  assert.deepEqual(answers.map(({ result }) => result), ["OK", undefined, 2]);
  assert.match(answers[1].error, /^ERR value is not an integer/);
  assert.deepEqual(await redis.multi().set("n", "1").incr("n").exec(), ["OK", 2]);
  const stranger = new Redis({ ...endpoint, ...options, token: "wrong" });
  await assert.rejects(stranger.get("k"), /WRONGPASS/);
  const paths = new Set(rest.requests.map(({ path }) => path));
  assert.deepEqual([...paths].sort(), ["/", "/multi-exec", "/pipeline"]);
});

test("a lock lives over REST", async () => {
  const [direct, tenure] = await Promise.all([connect(`redis://127.0.0.1:${port}`), connect(upstash(endpoint))]);
  const metadata = "\ufeff\u0000ä\u{1f512}";
  const lock = await tenure.obtain("\ufeffk", { metadata });
  assert.equal(await control.command(port, ["GET", "\ufeffk"]), lock.token + metadata);
  assert.equal(await direct.tryObtain("\ufeffk"), null);
  assert.equal(await tenure.tryObtain("\ufeffk"), null);
  assert.deepEqual((await tenure.inspect("\ufeffk")).bytes, new TextEncoder().encode(lock.token + metadata));
  await lock.refresh(60_000);
  assert.ok((await lock.remainingOnServers()) > 30_000);
  await lock.verify();
  const waiting = direct.obtain("\ufeffk", { wait: Infinity });
  assert.equal(await lock.release(), "confirmed");
  const other = await waiting;
  const back = tenure.obtain(["\ufeffk", "j"], { wait: Infinity });
  await other.release();
  const both = await back;
  assert.equal(await control.command(port, ["EXISTS", "\ufeffk", "j"]), 2);
  // Nothing reports it, so it is found at the next refresh.
  await control.command(port, ["DEL", "j"]);
  await assert.rejects(both.refresh(), { code: "taken" });
  await Promise.all([tenure.close(), direct.close()]);
  assert.equal(await control.command(port, ["DBSIZE"]), 0);
  assert.ok(rest.requests.every(({ base64 }) => base64));
});

test("what is wanted at one time is one request, and no request overtakes another", async () => {
  const tenure = await connect(upstash(endpoint));
  const before = rest.requests.length;
  const locks = await Promise.all(Array.from({ length: 20 }, (_, number) => tenure.obtain(`k${number}`)));
  assert.deepEqual(rest.requests.slice(before).map(({ path, commands }) => [path, commands]), [["/pipeline", 40]]);
  await Promise.all(locks.map((lock) => lock.release()));
  // Requested, on its way, and cancelled: a release that came first would leave the key.
  for (let round = 0; round < 20; round += 1) {
    const cancel = new AbortController();
    const obtaining = tenure.obtain("k", { ttl: 3_600_000, signal: cancel.signal });
    const refused = assert.rejects(obtaining, { name: "AbortError" });
    const kept = tenure.tryObtain(`j${round}`);
    await new Promise((resolve) => setImmediate(resolve));
    cancel.abort();
    await refused;
    await (await kept).release();
  }
  await tenure.close();
  assert.equal(await control.command(port, ["DBSIZE"]), 0);
  assert.equal(rest.together, 1);
});

test("the next request reports what this one has seen", async () => {
  const tenure = await connect(upstash(endpoint));
  await (await tenure.obtain("k")).release();
  await tenure.close();
  assert.ok(rest.requests.length > 2);
  rest.requests.forEach(({ sync }, number) => assert.equal(sync, number === 0 ? undefined : `state-${number}`));
});

test("no request may be answered by a cache", async () => {
  const { fetch } = globalThis;
  const modes = [];
  globalThis.fetch = (address, options) => {
    modes.push(new Request(address, options).cache);
    return fetch(address, options);
  };
  try {
    const tenure = await connect(upstash(endpoint));
    assert.equal(await (await tenure.obtain(["k", "j"])).release(), "confirmed");
    await tenure.close();
  } finally {
    globalThis.fetch = fetch;
  }
  assert.deepEqual(new Set(modes), new Set(["no-store"]));
});

test("text only: other bytes are refused before anything is sent", async () => {
  const tenure = await connect([upstash(endpoint)]);
  const before = rest.requests.length;
  const notText = Uint8Array.of(0xc3, 0x28);
  for (const attempt of [
    () => tenure.obtain(notText),
    () => tenure.obtain("k", { metadata: notText }),
    () => tenure.obtain("k", { token: notText }),
    () => tenure.inspect(notText),
    () => connect(upstash(endpoint), { prefix: notText }),
  ]) {
    await assert.rejects(async () => attempt(), (error) => error instanceof ArgumentError && error.code === "not_text");
  }
  assert.equal(rest.requests.length, before);
  await (await tenure.obtain(new TextEncoder().encode("ä"))).release();
  await tenure.close();
});

test("what is wrong with the endpoint is said, without its token", async () => {
  const fails = async (options, word) => {
    const error = await connect(upstash(options)).then((tenure) => tenure.close(), (reason) => reason);
    assert.ok(error instanceof ConnectError, `${error}`);
    assert.match(error.message, word);
    assert.ok(!error.message.includes(options.token));
  };
  await fails({ ...endpoint, token: "s3cret" }, /WRONGPASS/);
  await fails({ ...endpoint, url: `${rest.url}/elsewhere` }, /ERR not here/);
  rest.instead = (response) => response.writeHead(502).end("<html>");
  await fails(endpoint, /502/);
  rest.instead = (response) => response.end("<html>");
  await fails(endpoint, /REST format/);
  rest.instead = (response) => response.end('{ "result": true }');
  await fails(endpoint, /REST format/);
  for (const options of [{ url: "localhost", token: "t" }, { url: "redis://u:s3cret@h", token: "t" }, { ...endpoint, token: "s3cret\n" }, { ...endpoint, token: undefined }]) {
    assert.throws(() => upstash(options), (error) => error instanceof ArgumentError && !error.message.includes("s3cret"));
  }
});

test("an endpoint that does not answer, and does again", async () => {
  const tenure = await connect(upstash(endpoint), { requestTimeout: 100, reconnectMax: 20 });
  const held = await tenure.obtain("k");
  const left = new Set();
  rest.instead = (response) => left.add(response.on("close", () => left.delete(response)));
  await assert.rejects(tenure.obtain("j"), { code: "unreachable" });
  rest.instead = undefined;
  const lock = await tenure.obtain("j", { wait: 60_000 });
  // Nobody waits for an answer that is no longer wanted.
  while (left.size > 0) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  await held.refresh();
  assert.equal(await lock.release(), "confirmed");
  await tenure.close();
  assert.equal(await control.command(port, ["DBSIZE"]), 0);
});

test("an answer that gets lost", async () => {
  const tenure = await connect(upstash(endpoint), { reconnectMax: 20 });
  // It is asked once more.
  rest.lost = 2;
  await assert.rejects(tenure.obtain("j"), { code: "unreachable", fault: "disconnected" });
  rest.lost = 1;
  const lock = await tenure.obtain("k", { wait: Infinity });
  assert.equal(await control.command(port, ["GET", "k"]), lock.token);
  rest.lost = 1;
  // The first request released it, and its answer was lost. That the second finds nothing proves nothing.
  assert.equal(await lock.release(), "unconfirmed");
  await tenure.close();
  assert.equal(await control.command(port, ["DBSIZE"]), 0);
});

test("a quorum of which each server is reached in another way", async () => {
  const others = [await control.startFresh(), await control.startFresh()];
  const client = new (from("ioredis").Redis)(others[0], "127.0.0.1", { autoResendUnfulfilledCommands: false });
  const servers = [upstash(endpoint), ioredis(client), `redis://127.0.0.1:${others[1]}`];
  const tenure = await connect(servers);
  const lock = await tenure.obtain("k");
  for (const each of [port, ...others]) {
    // Two are enough to go on; the third may still be greeted.
    while ((await control.command(each, ["GET", "k"])) !== lock.token);
  }
  assert.equal(await lock.release(), "confirmed");
  await tenure.close();
  client.disconnect();
});
