// First, so that it stands at the edge of the bundle: compressed bytes between program text make that compress badly.
import { unpacked } from "../inline-node.js";
import { connectOn, type Platform } from "../connect.js";
import type { Connect, Locker } from "./common.js";
import { dialNode } from "../transports/node.js";

export * from "./common.js";

const platform: Platform = { module: unpacked, dial: dialNode, turn: setImmediate };
export const connect: Connect = (...given) => connectOn(platform, ...given) as Promise<Locker>;
