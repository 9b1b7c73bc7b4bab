// What tests/arguments.mjs does for `tenure`, for the entries `tenure/modes` and `tenure/locks`: each option and parameter with
// values of wrong kinds, as their published types have them.
//
//   node --test tests/arguments-modes.mjs     after ./build
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

import { Control } from "./control.mjs";
import { Trial, VALUES } from "./kinds.mjs";

const packed = createRequire(import.meta.url);
const { connect, ArgumentError } = packed("../dist/modes/node.cjs");
const plain = packed("../dist/node.cjs");
const { LockManager } = packed("../dist/locks.cjs");
const files = (names) => names.map((name) => `modes/types/${name}`);
const ofModes = new Trial(ArgumentError, files(["options", "modes/mode", "modes/events", "modes/locker", "modes/lock"]));
// The classes that those of this entry extend.
const below = new Trial(ArgumentError, files(["locker", "lock"]));
// As browsers do: this entry has no classes of errors.
const ofLocks = new Trial(TypeError, ["types/locks/manager"]);

const control = await new Control().open();
const port = await control.startFresh();
const url = `redis://127.0.0.1:${port}`;
const tenure = await connect(url);
const held = await tenure.write("held", { ttl: 3_600_000 });
test.after(async () => {
  await tenure.close();
  await control.close();
});

/** The server has no key but that of the lock, which is as it was. */
async function nothingStarted(run) {
  const before = await control.command(port, ["GET", "held"]);
  await run();
  assert.deepEqual([await control.command(port, ["GET", "held"]), held.mode], [before, "write"]);
  assert.equal(await control.command(port, ["DBSIZE"]), 1);
}

const { mode, ...MODE_OPTIONS } = ofModes.optionsOf("ObtainOptions");
const noWork = () => assert.fail("no work");
const calls = {
  obtain: [{ ...MODE_OPTIONS, mode }, (options) => tenure.obtain("k", options)],
  tryObtain: [{ ...MODE_OPTIONS, mode }, (options) => tenure.tryObtain("k", options)],
  using: [{ ...MODE_OPTIONS, mode }, (options) => tenure.using("k", options, noWork)],
  read: [MODE_OPTIONS, (options) => tenure.read("k", options)],
  write: [MODE_OPTIONS, (options) => tenure.write("k", options)],
  permit: [MODE_OPTIONS, (options) => tenure.permit("k", 2, options)],
};

for (const [name, [table, call]] of Object.entries(calls)) {
  test(`${name}: every option with values of wrong kinds`, () => nothingStarted(async () => {
    assert.ok(mode && table.ttl && table.fence, "the options of both declarations");
    await ofModes.tryOptions(name, table, call);
    if (!("mode" in table)) {
      for (const given of ["read", "write", { permits: 1 }, "x", null, 5]) {
        await ofModes.refused(`${name} mode: ${JSON.stringify(given)}`, "mode", () => call({ mode: given }));
      }
    }
    await ofModes.tryOptions(name, { permits: "number" }, (permits) => tenure.obtain("k", { mode: permits }), "mode.");
  }));
}

test("connect: every option with values of wrong kinds", () => nothingStarted(async () => {
  const table = ofModes.optionsOf("ConnectOptions");
  assert.ok(table.onEvent && table.prefix, "the options of both declarations");
  await ofModes.tryOptions("connect", table, (options) => connect(url, options));
  await ofModes.tryOptions("connect", { received: "number", persisted: "number", within: "number" }, (acks) => connect(url, { acks }), "acks.");
  for (const acks of [{}, { within: 5 }, { received: 1, persisted: 1 }, { received: 1, persisted: 0 }, { received: undefined }]) {
    await ofModes.refused(`connect acks: ${JSON.stringify(acks)}`, "acks must have received, or persisted", () => connect(url, { acks }));
  }
  for (const count of [0, -1, 0.5, 1.5, NaN, Infinity, 2 ** 32]) {
    await ofModes.refused(`connect acks.received: ${count}`, `acks.received must be a whole number of at least 1, not ${count}`, () => connect(url, { acks: { received: count } }));
  }
  for (const count of [-1, 0.5, Infinity]) {
    await ofModes.refused(`connect acks.persisted: ${count}`, `acks.persisted must be a whole number of at least 0, not ${count}`, () => connect(url, { acks: { persisted: count } }));
  }
}));

for (const [type, object] of [["Locker", tenure], ["Lock", held]]) {
  test(`each parameter of ${type} with values of wrong kinds`, () => nothingStarted(async () => {
    await ofModes.tryMethods(type, object);
    await below.tryMethods(type, object);
  }));
}

test("a LockManager: every option with values of wrong kinds, and lockers that are none", async () => {
  await ofLocks.tryOptions("LockManager", ofLocks.optionsOf("LocksOptions"), (options) => new LockManager(tenure, options));
  for (const [kind, value] of Object.entries(VALUES)) {
    await ofLocks.refused(`new LockManager(${kind})`, "locker", () => new LockManager(value));
    if (kind !== "empty object") {
      await ofLocks.refused(`new LockManager(locker, ${kind})`, "options", () => new LockManager(tenure, value));
    }
  }
  const without = await plain.connect(url);
  await ofLocks.refused("a locker without modes", "tenure/modes", () => new LockManager(without));
  await without.close();
  assert.ok(new LockManager(tenure) && new LockManager(tenure, { prefix: undefined, ttl: undefined }));
});

test("how many calls were tried", () => {
  const tried = [ofModes, below, ofLocks].map((each) => each.tried);
  console.log(`${tried.join(" and ")} calls with wrong arguments`);
  assert.ok(tried[0] > 1_000 && tried[1] > 100 && tried[2] > 60, `${tried}`);
});
