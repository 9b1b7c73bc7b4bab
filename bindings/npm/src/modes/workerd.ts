// @ts-expect-error Workers import a module that is compiled already; they may not compile one.
import engine from "./engine-modes.wasm";
import { connectOn, type Platform } from "../connect.js";
import type { Connect, Locker } from "./common.js";
import { dialWorkerd } from "../transports/workerd.js";

export * from "./common.js";

const platform: Platform = { module: async () => engine, dial: dialWorkerd };
export const connect: Connect = (...given) => connectOn(platform, ...given) as Promise<Locker>;
