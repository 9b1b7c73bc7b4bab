// What cannot be seen from outside of the package: the clock, URLs, and the engine by itself. Run from the sources, which Node's own loader cannot read.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { build } from "esbuild";

async function load(file) {
  const { outputFiles } = await build({ entryPoints: [file], bundle: true, format: "esm", write: false, define: { MODES: "false" } });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}

const { Clock } = await load("src/clock.ts");
const { parse } = await load("src/url.ts");
const { Supply } = await load("src/options.ts");
const { LockLostError, NotObtainedError, whyOf } = await load("src/errors.ts");

test("the script for guarded writes is that of the core", async () => {
  const { GUARDED_SET } = await load("src/guarded.ts");
  const core = readFileSync("../../core/src/redis/lua/guarded_set.lua", "utf8");
  assert.equal(GUARDED_SET, core.replace(/^--.*\n/gm, ""));
});

test("a suspend that only the wall clock saw is counted once", () => {
  let [steady, wall] = [5_000, 100_000];
  const clock = new Clock(() => steady, () => wall);
  const at = (s, w) => (([steady, wall] = [s, w]), clock.now() / 1_000_000);
  assert.equal(clock.now(), 5_000_000);
  assert.equal(at(6_000, 200_000), 105, "slept for 99 s");
  assert.equal(at(7_000, 201_000), 106);
  assert.equal(at(8_000, 50_000), 107, "the wall clock is set back");
  assert.equal(at(9_000, 51_000), 108);
  assert.equal(at(10_000, 52_900), 109, "a correction is no suspend");
  assert.equal(at(9_500, 53_000), 109, "no step back");
});

test("tokens are drawn together within a turn, and what is left of them is forgotten", () => {
  const drawn = [];
  const draw = crypto.getRandomValues;
  crypto.getRandomValues = (bytes) => (drawn.push(bytes), draw.call(crypto, bytes));
  try {
    const supply = new Supply();
    const tokens = Array.from({ length: 34 }, () => supply.draw().toString());
    assert.deepEqual(drawn.map((bytes) => bytes.length), [16, 32 * 16, 32 * 16]);
    assert.ok(new Set(tokens).size === 34 && tokens.every((token) => /^[\w-]{22}$/.test(token)));
    supply.drop();
    const next = supply.draw().toString();
    assert.deepEqual([drawn.length, drawn[3].length], [4, 16]);
    assert.equal(next, Buffer.from(drawn[3]).toString("base64url"));
  } finally {
    crypto.getRandomValues = draw;
  }
});

test("a URL says where and how", () => {
  const read = (url) => {
    const { kind, login, shown, ...rest } = parse(url);
    const where = { tcp: `${rest.tls ? "tls " : ""}${rest.host} ${rest.port}`, unix: rest.path, ws: rest.url }[kind];
    return [where, login.username ?? "-", login.password ?? "-", login.database ?? 0, ...(login.resp2 ? ["resp2"] : [])].join(" ");
  };
  for (const [url, expected] of [
    ["redis://localhost", "localhost 6379 - - 0"],
    ["  redis://localhost/\n", "localhost 6379 - - 0"],
    ["redis://h:80/3", "h 80 - - 3"],
    ["redis://[::1]:7000?db=4", "::1 7000 - - 4"],
    ["valkeys://me:p%2F%3A%23@h", "tls h 6379 me p/:# 0"],
    ["rediss://:pw@h", "tls h 6379 - pw 0"],
    ["redis+unix:///run/r%20s", "/run/r s - - 0"],
    ["redis+unix://me:pw@/r.s?db=2", "/r.s me pw 2"],
    ["redis://h/1?resp=2", "h 6379 - - 1 resp2"],
    ["redis+unix:///r.s?resp=2&db=2", "/r.s - - 2 resp2"],
    ["redis://h?resp=3", "h 6379 - - 0"],
    ["unix://localhost/r.s", "/r.s - - 0"],
    ["ws://me:pw@h:8080/path?x=1", "ws://h:8080/path?x=1 me pw 0"],
  ]) {
    assert.equal(read(url), expected, url);
  }
});

test("a bad URL is an error without its secrets", () => {
  for (const url of [
    "", "localhost", "127.0.0.1:6379", "http://h", "redis://", "redis://h:0", "redis://h:99999", "redis://h/x", "redis://h/1/2",
    "redis://h/1?db=1", "redis://h?timeout=1", "redis://a,b", "redis+unix://", "redis+unix://host/path",
    "redis://h?resp=1", "redis://h?resp=2&resp=2",
    "redis://me:hunter2@h/x", "redis://me:hunter2/@h/x", "redis://me:x#hunter2@h", "me:hunter2@h", "redis://h?password=hunter2",
  ]) {
    assert.throws(() => parse(url), (error) => error.code === "bad_url" && !error.message.includes("hunter2"), url);
  }
});

test("an error says who holds the lock, and what a server did", () => {
  const told = ({ code, ours, remaining, fault, message }) => [code, ours, remaining, fault, message];
  for (const [code, more, expected] of [
    [0, -1, ["taken", false, undefined, undefined, "\"k\": held by another client"]],
    [0, 4.2, ["taken", false, 4.2, undefined, "\"k\": held by another client for about 3 ms more"]],
    [0, 301, ["taken", false, 301, undefined, "\"k\": held by another client for about 300 ms more"]],
    [0, 7_999, ["taken", false, 7_999, undefined, "\"k\": held by another client for about 7.9 s more"]],
    [0, 30_001, ["taken", false, 30_001, undefined, "\"k\": held by another client for about 30 s more"]],
    [0, 120_001, ["taken", false, 120_001, undefined, "\"k\": held by another client for about 2 min more"]],
    [0, 7_200_001, ["taken", false, 7_200_001, undefined, "\"k\": held by another client for about 2 h more"]],
    [8, 0, ["taken", true, 0, undefined, "\"k\": held by another lock of this Locker for about 0 ms more"]],
    [1, -1, ["timed_out", false, undefined, undefined, "\"k\": still held by another client when the wait was over"]],
    [9, -1, ["timed_out", true, undefined, undefined, "\"k\": still held by another lock of this Locker when the wait was over"]],
    [3, 0, ["unreachable", false, undefined, "disconnected", "\"k\": too few servers replied: not connected"]],
    [4, 14, ["refused", false, undefined, "no_permission", "\"k\": refused: NOPERM: the user lacks a permission"]],
    [5, -1, ["limit_reached", false, undefined, undefined, "\"k\": too many locks at one time"]],
  ]) {
    const why = code % 8 === 0 ? undefined : whyOf(more, () => "never called");
    assert.deepEqual(told(new NotObtainedError(["k"], code, more, why)), expected);
  }
  assert.equal(new NotObtainedError(["k"], 2, -1).code, "too_late");
  const other = (words) => new NotObtainedError(["k"], 3, 24, whyOf(24, () => words));
  const said = other("ERR backend is asleep");
  assert.deepEqual([said.fault, said.message], ["other", "\"k\": too few servers replied: an unknown error: ERR backend is asleep"]);
  assert.equal(other("").message, "\"k\": too few servers replied: an unknown error");
  const lost = new LockLostError(["k"], "refused", whyOf(14, () => ""));
  assert.deepEqual([lost.fault, lost.message], ["no_permission", "the lock on \"k\" is not held: it cannot be refreshed: NOPERM: the user lacks a permission"]);
  assert.deepEqual([new LockLostError(["k"], "taken").fault, new LockLostError(["k"], "expired").message], [undefined, "the lock on \"k\" is not held: the lease ended"]);
});

test("after a trap the engine does nothing more, and others go on", () => {
  const module = new WebAssembly.Module(readFileSync("dist/engine.wasm"));
  const [broken, other] = [new WebAssembly.Instance(module).exports, new WebAssembly.Instance(module).exports];
  const hand = ({ reserve, memory }, text) => {
    const at = reserve(text.length);
    new Uint8Array(memory.buffer).set(Buffer.from(text), at);
    return text.length;
  };
  // Bytes that no program of this version has written.
  assert.equal(broken.start(hand(broken, "?"), 0), 0);
  assert.throws(() => broken.reserve(0xffff_ffff), WebAssembly.RuntimeError, "more memory than there is");
  assert.deepEqual([broken.record(), broken.poll(), broken.start(1, 0)], [0, 0, 0]);
  assert.notEqual(other.record(), 0);
});
