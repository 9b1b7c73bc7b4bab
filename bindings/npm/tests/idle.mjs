// Connections that are closed while nobody uses them, with a real server: the first call after that succeeds.
//
//   node --test tests/idle.mjs     after ./build
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { connect as dial, createServer } from "node:net";
import { once } from "node:events";
import { test } from "node:test";

import { Control } from "./control.mjs";

const { connect } = createRequire(import.meta.url)("../dist/node.cjs");
const control = await new Control().open();
const port = await control.startFresh();
test.after(() => control.close());
test.beforeEach(() => control.command(port, ["FLUSHALL"]));

/**
 * A way to the server that forgets a connection while it is idle, as a firewall does: nobody learns of that before the next
 * byte, which is answered by a reset. `count`: how many of those that send are reset.
 */
async function forgetful() {
  const way = { forgotten: 0, opened: 0 };
  const server = createServer((socket) => {
    way.opened += 1;
    const there = dial(port, "127.0.0.1");
    there.on("data", (bytes) => socket.write(bytes)).on("error", () => {});
    socket.on("error", () => {}).on("close", () => there.destroy());
    socket.on("data", (bytes) => {
      if (way.forgotten > 0) {
        way.forgotten -= 1;
        return socket.resetAndDestroy();
      }
      there.write(bytes);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  way.url = `redis://127.0.0.1:${server.address().port}`;
  way.close = () => server.close();
  return way;
}

for (const [name, call] of Object.entries({
  obtain: async (tenure) => assert.equal(await (await tenure.obtain("j")).release(), "confirmed"),
  tryObtain: async (tenure) => assert.ok(await tenure.tryObtain("j")),
  "obtain with a token of its own": async (tenure) => assert.equal((await tenure.obtain("j", { token: "mine" })).token, "mine"),
  "obtain several": async (tenure) => assert.ok(await tenure.obtain(["j", "i"])),
  inspect: async (tenure, lock) => assert.equal((await tenure.inspect("k")).value, lock.token),
  refresh: async (_, lock) => assert.ok((await lock.refresh()) > 3_000_000),
  verify: async (_, lock) => lock.verify(),
  remainingOnServers: async (_, lock) => assert.ok((await lock.remainingOnServers()) > 3_000_000),
  release: async (_, lock) => assert.equal(await lock.release(), "confirmed"),
})) {
  test(`${name} succeeds after its idle connection was closed`, async () => {
    const way = await forgetful();
    const events = [];
    const tenure = await connect(way.url, { onEvent: (event) => events.push(event) });
    const lock = await tenure.obtain("k", { ttl: 3_600_000 });
    events.length = 0;
    way.forgotten = 1;

    await call(tenure, lock);

    assert.equal(way.opened, 2);
    assert.equal(events.find(({ type }) => type === "node_down").reason, "disconnected");
    assert.ok(!events.some(({ type }) => type === "not_obtained"), JSON.stringify(events));
    await tenure.close();
    assert.equal(await control.command(port, ["DBSIZE"]), 0);
    way.close();
  });
}

test("it gets the request once more, not endlessly, and the fault has its name", async () => {
  const way = await forgetful();
  const tenure = await connect(way.url);
  for (const [call, code] of [[() => tenure.obtain("k"), "unreachable"], [() => tenure.inspect("k"), "not_answered"]]) {
    way.forgotten = Infinity;
    const error = await call().catch((error) => error);
    assert.deepEqual([error.code, error.fault], [code, "disconnected"]);
    assert.doesNotMatch(error.message, /in time/);
    way.forgotten = 0;
    await (await tenure.obtain("other", { wait: 10_000 })).release();
  }
  await tenure.close();
  way.close();
});

test("a connection that the server closes while it is idle is opened again before it is needed", async () => {
  const tenure = await connect(`redis://127.0.0.1:${port}`);
  await control.command(port, ["CLIENT", "KILL", "TYPE", "normal"]);
  assert.equal(await (await tenure.obtain("k")).release(), "confirmed");
  await tenure.close();
});
