// First, so that it stands at the edge of the bundle: compressed bytes between program text make that compress badly.
import { inlined } from "../inline.js";
import { connectOn, type Platform } from "../connect.js";
import type { Connect, Locker } from "./common.js";
import { dialDeno } from "../transports/deno.js";

export * from "./common.js";

const platform: Platform = { module: inlined, dial: dialDeno };
export const connect: Connect = (...given) => connectOn(platform, ...given) as Promise<Locker>;
