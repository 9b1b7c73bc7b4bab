// Names each function after its place in an order in which the module compresses well: `rank.mjs <module> <target>`. Deflate
// looks back no more than 32 kB, and likes what it has just seen: each function is followed by the one that repeats the most
// of the last few, by its length. 3 % of the whole.
import { readFileSync, writeFileSync } from "node:fs";

const [NAMES, CODE] = [0, 10];
/** How many bytes make a repetition, and in how many functions before they are looked for. */
const [RUN, WINDOW] = [4, 4];
const [from, to] = process.argv.slice(2);
const bytes = readFileSync(from);

/** A number of seven bits a byte, and where it ends. */
function number(at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value |= (byte & 127) << shift;
    if (byte < 128) {
      return [value, at];
    }
  }
}

function encoded(value) {
  return value < 128 ? [value] : [(value & 127) | 128, ...encoded(value >>> 7)];
}

const withLength = (content) => Buffer.from([...encoded(content.length), ...content]);

/** The bytes of each function. */
function bodies() {
  for (let at = 8; at < bytes.length; ) {
    const kind = bytes[at];
    const [length, start] = number(at + 1);
    if (kind === CODE) {
      let [count, next] = number(start);
      return Array.from({ length: count }, () => {
        const [size, body] = number(next);
        next = body + size;
        return bytes.subarray(body, next);
      });
    }
    at = start + length;
  }
  throw new Error(`${from} has no code`);
}

/** The short runs of bytes in a function. */
function runsOf(body) {
  const runs = new Set();
  for (let at = 0; at + RUN <= body.length; at += 1) {
    runs.add(body.readUInt32LE(at));
  }
  return runs;
}

/** The functions by their numbers, each behind those that it resembles. */
function order(functions) {
  const runs = functions.map(runsOf);
  const count = new Map();
  runs.forEach((own) => own.forEach((run) => count.set(run, (count.get(run) ?? 0) + 1)));
  // What few have says more than what all have.
  const worth = (run) => 1 / Math.log2(1 + count.get(run));
  const left = new Set(functions.keys());
  const ordered = [];
  let next = [...left].reduce((least, each) => (functions[each].length < functions[least].length ? each : least));
  while (left.delete(next)) {
    ordered.push(next);
    const recent = ordered.slice(-WINDOW).map((each) => runs[each]);
    let best = -1;
    for (const each of left) {
      let score = 0;
      for (const run of runs[each]) {
        score += recent.some((known) => known.has(run)) ? worth(run) : 0;
      }
      score /= functions[each].length;
      if (score > best) {
        [best, next] = [score, each];
      }
    }
  }
  return ordered;
}

const ordered = order(bodies());
const names = [];
ordered.forEach((index, place) => {
  const name = String(place).padStart(6, "0");
  names[index] = Buffer.from([...encoded(index), ...withLength(Buffer.from(name))]);
});
const functions = Buffer.concat([Buffer.from(encoded(names.length)), ...names]);
const section = Buffer.concat([withLength(Buffer.from("name")), Buffer.from([1]), withLength(functions)]);
writeFileSync(to, Buffer.concat([bytes, Buffer.from([NAMES]), withLength(section)]));
