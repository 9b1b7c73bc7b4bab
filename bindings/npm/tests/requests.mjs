// What the tests of `tenure/locks` have in common.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

import { Control } from "./control.mjs";

const packed = createRequire(import.meta.url);
export const { connect } = packed("../dist/modes/node.cjs");
export const { Lock, LockManager } = packed("../dist/locks.cjs");

/** Two managers that share nothing but a fresh server, until the tests of a file are over. */
export async function pair() {
  const control = await new Control().open();
  const port = await control.startFresh();
  const url = `redis://127.0.0.1:${port}`;
  const ttl = 3_600_000;
  const [here, there] = [await connect(url), await connect(url)];
  test.after(async () => {
    await Promise.all([here.close(), there.close()]);
    await control.close();
  });
  return { control, port, url, here, locks: new LockManager(here, { ttl }), others: new LockManager(there, { ttl }) };
}

export const nothing = () => {};
export const neverCalled = () => assert.fail("the callback was called");
export const isType = (promise) => assert.rejects(promise, (error) => error instanceof TypeError);
export const isDom = (promise, name) => assert.rejects(promise, (error) => error instanceof DOMException && error.name === name);
export const isExactly = (promise, reason) => promise.then(neverCalled, (error) => assert.ok(Object.is(error, reason), String(error)));

export function later() {
  let settle;
  const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));
  return { promise, ...settle };
}

/** Until it is held: what ends it, and what `request` gives. */
export async function hold(manager, name, options = {}) {
  const [granted, end] = [later(), later()];
  const done = manager.request(name, options, (lock) => (granted.resolve(lock), end.promise));
  done.catch(nothing);
  const lock = await Promise.race([granted.promise, done]);
  return { lock, done, end };
}
