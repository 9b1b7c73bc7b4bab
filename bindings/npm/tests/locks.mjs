// The entry `tenure/locks` on a real server, as code for `navigator.locks` uses it. The tests have the names of the cases in the
// public suite for browsers, behind the names of its files; core/docs/locks.md lists all of them, with those that do not hold.
//
//   node --test tests/locks.mjs     after ./build
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { hold, isDom, isExactly, isType, later, Lock, LockManager, neverCalled, nothing, pair } from "./requests.mjs";

const { control, port, here, locks, others } = await pair();

const named = [];
let count = 0;
/** A case of the public suite. It has a resource of its own. */
function like(file, name, run) {
  named.push(`${file}: ${name}`);
  count += 1;
  const resource = `resource-${count}`;
  test(`${file}: ${name}`, () => run(resource));
}

const of = (list, name) => list.filter((info) => info.name === name);

like("acquire", "navigator.locks.request requires a name and a callback", async (name) => {
  await isType(locks.request());
  await isType(locks.request(name));
  await isType(locks.request(Symbol("name"), nothing));
});

like("acquire", 'mode must be "shared" or "exclusive"', async (name) => {
  for (const mode of ["foo", null, "", 1, {}, Symbol("shared")]) {
    await isType(locks.request(name, { mode }, neverCalled));
  }
  for (const mode of ["exclusive", "shared"]) {
    assert.equal(await locks.request(name, { mode }, (lock) => lock.mode), mode);
  }
  assert.equal(await locks.request(name, null, (lock) => lock.mode), "exclusive");
  assert.equal(await locks.request(name, { mode: undefined, signal: undefined }, (lock) => lock.mode), "exclusive");
  await isType(locks.request(name, "options", neverCalled));
});

for (const [one, options] of [
  ["The 'steal' and 'ifAvailable' options are mutually exclusive", { steal: true, ifAvailable: true }],
  ["The 'steal' option must be used with exclusive locks", { steal: true, mode: "shared" }],
  ["The 'signal' and 'steal' options are mutually exclusive", { steal: true, signal: new AbortController().signal }],
  ["The 'signal' and 'ifAvailable' options are mutually exclusive", { ifAvailable: true, signal: new AbortController().signal }],
]) {
  like("acquire", one, (name) => isDom(locks.request(name, options, neverCalled), "NotSupportedError"));
}

like("acquire", "callback must be a function", async (name) => {
  for (const callback of [undefined, null, 123, "abc", [], {}, new Promise(nothing)]) {
    await isType(locks.request(name, callback));
    await isType(locks.request(name, {}, callback));
  }
});

like("acquire", "navigator.locks.request's returned promise resolves after lock is released", async (name) => {
  const order = [];
  const { end, done } = await hold(locks, name);
  const both = [end.promise.then(() => order.push("callback")), done.then(() => order.push("request"))];
  end.resolve();
  await Promise.all(both);
  assert.deepEqual(order, ["callback", "request"]);
  assert.equal(await control.command(port, ["EXISTS", `locks:${name}`]), 0);
});

for (const [file, ifAvailable] of [["acquire", false], ["ifAvailable", true]]) {
  const held = async (name, run) => (ifAvailable ? locks.request(name, run) : run());
  like(file, "Returned Promise rejects if callback throws synchronously", (name) =>
    held(name, async () => {
      const error = { name: "test" };
      const promise = locks.request(name, { ifAvailable }, () => {
        throw error;
      });
      assert.equal(Promise.resolve(promise), promise);
      await isExactly(promise, error);
    }));
  const second = ifAvailable ? "Returned Promise rejects if async callback yields rejected promise" : "Returned Promise rejects if callback throws asynchronously";
  like(file, second, (name) =>
    held(name, async () => {
      const error = { name: "test" };
      await isExactly(locks.request(name, { ifAvailable }, () => Promise.reject(error)), error);
    }));
}

like("acquire", "If callback throws a thenable, its then() should not be invoked", async (name) => {
  const error = { then: () => assert.fail("it was called") };
  await isExactly(locks.request(name, async () => {
    throw error;
  }), error);
});

like("held", "callback's result is promisified if not async", async (name) => {
  assert.equal(await locks.request(name, () => 123), 123);
});

for (const how of ["resolve", "reject"]) {
  like("held", `lock is held until callback's returned promise ${how}s`, async (name) => {
    const order = [];
    const { end, done } = await hold(locks, name);
    const next = [locks.request(name, () => order.push("next")), others.request(name, () => order.push("next"))];
    await others.query();
    order.push("end");
    end[how](new Error("meant"));
    await Promise.allSettled([done, ...next]);
    assert.deepEqual(order, ["end", "next", "next"]);
  });
}

like("held", "held lock prevents the same client from acquiring it", async (name) => {
  assert.equal(await locks.request(name, () => locks.request(name, { ifAvailable: true }, (lock) => lock)), null);
});

const AVAILABLE = "Lock request with ifAvailable - ";
like("ifAvailable", `${AVAILABLE}lock available`, async (name) => {
  assert.ok((await locks.request(name, { ifAvailable: true }, (lock) => lock)) instanceof Lock);
});

like("ifAvailable", `${AVAILABLE}lock not available`, async (name) => {
  for (const manager of [locks, others]) {
    const result = await locks.request(name, () => manager.request(name, { ifAvailable: true }, (lock) => [lock, 123]));
    assert.deepEqual(result, [null, 123]);
  }
});

like("ifAvailable", `${AVAILABLE}lock not available, callback throws`, async (name) => {
  await locks.request(name, () => isExactly(locks.request(name, { ifAvailable: true }, async (lock) => Promise.reject(lock)), null));
});

like("ifAvailable", `${AVAILABLE}unrelated lock held`, async (name) => {
  assert.ok(await locks.request(name, () => locks.request(`${name} too`, { ifAvailable: true }, (lock) => lock)));
});

for (const [one, first, second] of [
  ["Shared lock request with ifAvailable - shared lock held", "shared", "shared"],
  ["Exclusive lock request with ifAvailable - shared lock held", "shared", "exclusive"],
  ["Shared lock request with ifAvailable - exclusive lock held", "exclusive", "shared"],
]) {
  like("ifAvailable", one, async (name) => {
    for (const manager of [locks, others]) {
      const lock = await locks.request(name, { mode: first }, () => manager.request(name, { mode: second, ifAvailable: true }, (lock) => lock));
      assert.equal(lock !== null, first === "shared" && second === "shared");
    }
  });
}

like("ifAvailable", "Locks are available once previous release is processed", async (name) => {
  await locks.request(`${name} too`, async () => {
    await locks.request(name, nothing);
    assert.ok(await locks.request(name, { ifAvailable: true }, (lock) => lock));
    assert.ok(await others.request(name, { ifAvailable: true }, (lock) => lock));
  });
});

for (const mode of ["exclusive", "shared"]) {
  like("lock-attributes", `Lock attributes reflect requested properties (${mode})`, async (name) => {
    await locks.request(name, { mode }, (lock) => assert.deepEqual([lock.name, lock.mode], [name, mode]));
  });
}

like("mode-exclusive", "Lock requests are granted in order", async (name) => {
  const granted = [];
  await Promise.all([1, 2, 3].map((n) => locks.request(name, () => granted.push(n))));
  assert.deepEqual(granted, [1, 2, 3]);
});

like("mode-exclusive", "Requests for distinct resources can be granted", async (name) => {
  const granted = [];
  let inner;
  await locks.request(name, async () => {
    inner = locks.request(name, () => granted.push("after"));
    await locks.request(`${name} too`, () => granted.push("meanwhile"));
  });
  await inner;
  assert.deepEqual(granted, ["meanwhile", "after"]);
});

like("mode-mixed", "Lock requests are granted in order", async (name) => {
  const granted = [];
  const readers = await Promise.all([1, 2, 3].map(() => hold(locks, name, { mode: "shared" })));
  const writer = locks.request(name, (lock) => granted.push(lock.mode));
  const after = others.query().then(() => locks.request(name, { mode: "shared" }, (lock) => granted.push(lock.mode)));
  await locks.request(`${name} too`, () => granted.push("unrelated"));
  readers.forEach(({ end }) => end.resolve());
  await Promise.all([writer, after]);
  assert.deepEqual(granted, ["unrelated", "exclusive", "shared"]);
});

like("mode-shared", "Lock requests are granted in order", async (name) => {
  const granted = [];
  await Promise.all([1, 2, 3, 4, 5, 6].map((n) => locks.request(`${name} ${n % 3}`, { mode: "shared" }, () => granted.push(n))));
  assert.deepEqual(granted, [1, 2, 3, 4, 5, 6]);
});

like("mode-shared", "Shared locks are not exclusive", async (name) => {
  const mode = "shared";
  assert.equal(await locks.request(name, { mode }, () => locks.request(name, { mode }, () => others.request(name, { mode }, () => 7))), 7);
});

like("query-empty", "query() returns dictionary with empty arrays when no locks are held", async () => {
  assert.deepEqual(await new LockManager(here).query(), { held: [], pending: [] });
});

like("query", "query() returns dictionaries with expected properties", async (name) => {
  const { end, done } = await hold(locks, name);
  const next = locks.request(name, { mode: "shared" }, nothing);
  const { held, pending } = await locks.query();
  for (const [infos, mode] of [[held, "exclusive"], [pending, "shared"]]) {
    const [info] = of(infos, name);
    assert.deepEqual(Object.keys(info).sort(), ["clientId", "mode", "name"]);
    assert.deepEqual([info.name, info.mode, typeof info.clientId], [name, mode, "string"]);
  }
  end.resolve();
  await Promise.all([done, next]);
});

const modesOf = (list, name) => of(list, name).map(({ mode }) => mode);
like("query", "query() reports individual held locks", async (name) => {
  for (const mode of ["exclusive", "shared"]) {
    await locks.request(name, { mode }, async () => assert.deepEqual(modesOf((await locks.query()).held, name), [mode]));
    assert.deepEqual(of((await locks.query()).held, name), []);
  }
});

like("query", "query() reports multiple held locks", async (name) => {
  await locks.request(name, () =>
    locks.request(`${name} too`, { mode: "shared" }, async () => {
      const { held } = await locks.query();
      assert.deepEqual([modesOf(held, name), modesOf(held, `${name} too`)], [["exclusive"], ["shared"]]);
    }));
});

for (const [one, modes] of [
  ["query() reports pending and held locks", ["exclusive"]],
  ["query() reports pending shared locks with appropriate count", ["shared", "shared"]],
]) {
  like("query", one, async (name) => {
    const end = later();
    // Whether it is granted, the query has to find out.
    const done = locks.request(name, () => end.promise);
    const next = modes.map((mode) => locks.request(name, { mode }, nothing));
    const { held, pending } = await locks.query();
    assert.deepEqual([modesOf(held, name), modesOf(pending, name)], [["exclusive"], modes]);
    end.resolve();
    await Promise.all([done, ...next]);
    assert.deepEqual(of((await locks.query()).pending, name), []);
  });
}

like("query", "query() reports held shared locks with appropriate count", async (name) => {
  const mode = "shared";
  await locks.request(name, { mode }, () => locks.request(name, { mode }, async () => assert.deepEqual(modesOf((await locks.query()).held, name), [mode, mode])));
});

like("query", "query() reports the same clientId for held locks from the same context", async (name) => {
  await locks.request(name, () =>
    locks.request(`${name} too`, async () => {
      const { held } = await locks.query();
      const ids = new Set([...of(held, name), ...of(held, `${name} too`)].map(({ clientId }) => clientId));
      assert.equal(ids.size, 1);
    }));
});

like("query-ordering", "Requests appear in state in order made", async (name) => {
  const names = [3, 2, 1].map((n) => `${name} ${n}`);
  const held = await Promise.all([...names].reverse().map((one) => hold(locks, one)));
  const next = names.map((one) => locks.request(one, { mode: "shared" }, nothing));
  assert.deepEqual((await locks.query()).pending.map((info) => info.name).filter((one) => names.includes(one)), names);
  held.forEach(({ end }) => end.resolve());
  await Promise.all(next);
});

like("query-ordering", "Held locks appear in state in order granted", async (name) => {
  const names = [2, 3, 1].map((n) => `${name} ${n}`);
  const held = [];
  for (const one of names) {
    held.push(await hold(locks, one));
  }
  assert.deepEqual((await locks.query()).held.map((info) => info.name).filter((one) => names.includes(one)), names);
  held.forEach(({ end }) => end.resolve());
  await Promise.all(held.map(({ done }) => done));
});

for (const name of ["", "abc\x00def", "\uD800", "\uDC00", "\uDC00\uD800", "\uFFFF"]) {
  const points = [...name].map((character) => `0x${character.charCodeAt(0).toString(16).toUpperCase()}`).join(" ");
  like("resource-names", `DOMString: ${points}`.trim(), () => locks.request(name, (lock) => assert.equal(lock.name, name)));
}

like("resource-names", "Resource names that are not valid UTF-16 are not mangled", async () => {
  const names = ["\uD800", "\uFFFD", "\uDC00", "\uD800x", "x\uD83D", "\uD83D\uDE00", "\uDE00\uD83D"];
  const held = await Promise.all(names.map((name) => hold(locks, name, { ifAvailable: true })));
  assert.deepEqual(held.map(({ lock }) => lock?.name), names);
  assert.equal(await control.command(port, ["EVAL", "return #redis.call('KEYS', 'locks:*')", "0"]), names.length);
  held.forEach(({ end }) => end.resolve());
  await Promise.all(held.map(({ done }) => done));
});

like("resource-names", 'Names cannot start with "-"', async (name) => {
  await isDom(locks.request("-", neverCalled), "NotSupportedError");
  await isDom(locks.request("-foo", neverCalled), "NotSupportedError");
  assert.equal(await locks.request(`${name}-x`, () => 7), 7);
});

like("signal", "The signal option must be an AbortSignal", async (name) => {
  for (const signal of ["string", 12.34, false, null, {}, Symbol("signal"), nothing, globalThis]) {
    await isType(locks.request(name, { signal }, neverCalled));
  }
});

for (const [one, reason] of [
  ["Passing an already aborted signal aborts", undefined],
  ["Passing an already aborted signal rejects with the custom abort reason.", "mine"],
  ["Passing an already aborted signal rejects with the default abort reason.", undefined],
]) {
  like("signal", one, async (name) => {
    const signal = AbortSignal.abort(reason);
    await isExactly(locks.request(name, { signal }, neverCalled), signal.reason);
    assert.ok(reason === undefined ? signal.reason.name === "AbortError" : signal.reason === reason);
  });
}

for (const [one, reason] of [
  ["An aborted request results in AbortError", undefined],
  ["Abort after a timeout", undefined],
  ["Aborted promise should reject with the custom abort reason", "mine"],
  ["Aborted promise should reject with the default abort reason", undefined],
]) {
  like("signal", one, async (name) => {
    const { end, done } = await hold(others, name);
    const controller = new AbortController();
    const request = locks.request(name, { signal: controller.signal }, neverCalled);
    request.catch(nothing);
    assert.equal(of((await locks.query()).pending, name).length, 1);
    controller.abort(reason);
    await isExactly(request, controller.signal.reason);
    assert.equal(of((await locks.query()).pending, name).length, 0);
    end.resolve();
    await done;
  });
}

like("signal", "Signal that is not aborted", async (name) =>
  assert.equal(await locks.request(name, { signal: new AbortController().signal }, () => 7), 7));

like("signal", "Synchronously signaled abort", async (name) => {
  const controller = new AbortController();
  const request = locks.request(name, { signal: controller.signal }, neverCalled);
  controller.abort();
  await isDom(request, "AbortError");
  assert.equal(await locks.request(name, () => 7), 7);
});

for (const [one, abortFirst] of [["Abort signaled after lock granted", true], ["Abort signaled after lock released", false]]) {
  like("signal", one, async (name) => {
    const controller = new AbortController();
    const { end, done } = await hold(locks, name, { signal: controller.signal });
    const steps = [() => controller.abort(), () => end.resolve("resolved")];
    (abortFirst ? steps : steps.reverse()).forEach((step) => step());
    assert.equal(await done, "resolved");
  });
}

like("signal", "Abort should process the next pending lock request", async (name) => {
  const { end, done } = await hold(others, name, { mode: "shared" });
  const controller = new AbortController();
  const writer = locks.request(name, { signal: controller.signal }, neverCalled);
  writer.catch(nothing);
  const reader = locks.request(name, { mode: "shared" }, () => "resolved");
  await locks.query();
  controller.abort();
  await isDom(writer, "AbortError");
  assert.equal(await reader, "resolved");
  end.resolve();
  await done;
});

test("the table in the documentation has these cases, and those that do not hold have a reason", () => {
  const page = readFileSync(new URL("../../../core/docs/locks.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| `([\w-]+)` \| (.*?) \| (.*?) \|$/gm)].map(([, file, name, how]) => [`${file}: ${name}`, how]);
  assert.deepEqual(rows.filter(([, how]) => how === "holds").map(([row]) => row).sort(), [...named].sort());
  assert.ok(rows.every(([, how]) => how === "holds" || how.length > 10));
});

