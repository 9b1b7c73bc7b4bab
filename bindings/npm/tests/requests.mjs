// What the tests of `tenure/locks` have in common.
import assert from "node:assert/strict";

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
