// Names each function after its size: `rank.mjs <module> <target>`. Sorted by these names, functions stand beside others of
// their kind, which deflate sees at once: 2 % of the whole.
import { readFileSync, writeFileSync } from "node:fs";

const [NAMES, CODE] = [0, 10];
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

/** The size of each function. */
function sizes() {
  for (let at = 8; at < bytes.length; ) {
    const kind = bytes[at];
    const [length, start] = number(at + 1);
    if (kind === CODE) {
      let [count, next] = number(start);
      return Array.from({ length: count }, () => {
        const [size, body] = number(next);
        next = body + size;
        return size;
      });
    }
    at = start + length;
  }
  throw new Error(`${from} has no code`);
}

const names = sizes().map((size, index) => {
  const name = `${String(size).padStart(6, "0")}-${String(index).padStart(6, "0")}`;
  return Buffer.from([...encoded(index), ...withLength(Buffer.from(name))]);
});
const functions = Buffer.concat([Buffer.from(encoded(names.length)), ...names]);
const section = Buffer.concat([withLength(Buffer.from("name")), Buffer.from([1]), withLength(functions)]);
writeFileSync(to, Buffer.concat([bytes, Buffer.from([NAMES]), withLength(section)]));
