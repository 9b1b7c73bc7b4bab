// First, so that it stands at the edge of the bundle: compressed bytes between program text make that compress badly.
import { inlined } from "../inline.js";
import { connectOn, type Platform } from "../connect.js";
import type { Connect, Locker } from "./common.js";

export * from "./common.js";

// Browsers, and every runtime without a name of its own: WebSockets and the user's own transports.
const platform: Platform = { module: inlined };
export const connect: Connect = (...given) => connectOn(platform, ...given) as Promise<Locker>;
