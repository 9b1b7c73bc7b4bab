// Releases that nobody answers, and releases that come too late, with a real server.
//
//   node --test tests/release.mjs     after ./build
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { connect as dial } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";

import { Control } from "./control.mjs";

const { connect } = createRequire(import.meta.url)("../dist/node.cjs");
const HOUR = 3_600_000;

const control = await new Control().open();
const port = await control.startFresh();
test.after(() => control.close());

/** A way to the server that swallows all answers while it is silent. */
function swallowing() {
  const way = {
    silent: false,
    name: "swallowing",
    connect() {
      const socket = dial({ port, host: "127.0.0.1" });
      const { readable, writable } = Duplex.toWeb(socket);
      const transform = (chunk, answers) => void (way.silent || answers.enqueue(chunk));
      const answers = readable.pipeThrough(new TransformStream({ transform }));
      return { readable: answers, writable, close: () => socket.destroy() };
    },
  };
  return way;
}

test("a release that nobody answers is unconfirmed soon, and goes on", async () => {
  const way = swallowing();
  const tenure = await connect(way, { requestTimeout: 100, connectTimeout: 100 });
  const lock = await tenure.obtain("k", { ttl: HOUR });
  way.silent = true;

  // Without a bound of its own it would take the ttl, and the test would run into its limit.
  assert.equal(await lock.release(), "unconfirmed");

  assert.equal(lock.signal.aborted, false, "it was not lost");
  // The server has released it, and the reply was lost. A new value shows that the release is sent once more.
  await control.command(port, ["SET", "k", lock.token]);
  way.silent = false;
  while ((await control.command(port, ["EXISTS", "k"])) !== 0);
  await tenure.close();
});

test("work is over soon when nobody answers the release", async () => {
  const way = swallowing();
  const tenure = await connect(way, { requestTimeout: 100, connectTimeout: 100 });

  const result = await tenure.using("k", { ttl: HOUR }, () => ((way.silent = true), 42));

  assert.equal(result, 42);
  way.silent = false;
  await tenure.close();
});

test("a request after a long stop has all its time", async () => {
  const tenure = await connect(`redis://127.0.0.1:${port}`, { requestTimeout: 300, prepare: true });
  const [held, other] = [await tenure.obtain("k", { ttl: HOUR }), await tenure.obtain("j", { ttl: HOUR })];
  const asked = tenure.inspect("k");
  await new Promise((resolve) => queueMicrotask(resolve));
  // Its answer lies in the socket, and ten times its time is over.
  for (const end = performance.now() + 3_000; performance.now() < end; );
  const all = [tenure.obtain("i"), tenure.inspect("j"), held.refresh(), held.verify(), other.release(), tenure.obtain("k").catch(({ code }) => code)];

  assert.equal((await asked).value, held.token);
  const [lock, , , , proof, code] = await Promise.all(all);
  assert.deepEqual([lock.isHeld(), proof, code], [true, "confirmed", "taken"]);
  for (const end = performance.now() + 1_000; performance.now() < end; );
  await tenure.close();
  assert.equal(await control.command(port, ["DBSIZE"]), 0);
});

test("a program that stood still learns that its lock was over", async () => {
  // The server would forget the key a few milliseconds after the lease is over, and say so. Here it does not look.
  const port = await control.startFresh({ "enable-debug-command": "yes" });
  await control.command(port, ["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
  const tenure = await connect(`redis://127.0.0.1:${port}`);
  const stand = (lock) => {
    while (lock.remaining() > 0);
  };
  const lock = await tenure.obtain("k", { ttl: 300 });
  const { signal } = lock;

  stand(lock);

  assert.equal(await lock.release(), "expired");
  assert.equal(signal.reason.code, "expired");
  const over = { name: "LockLostError", code: "expired" };
  await assert.rejects(tenure.using("k", { ttl: 300, wait: 10_000 }, stand), over);
  const released = async (held) => (stand(held), await held.release());
  await assert.rejects(tenure.using("k", { ttl: 300, wait: 10_000 }, released), over);
  await tenure.close();
});
