import "./symbols.js";
// @ts-expect-error Workers import a module that is compiled already; they may not compile one.
import engine from "./engine.wasm";
import { connector, type Connect } from "./connect.js";
import { dialWorkerd } from "./transports/workerd.js";

export * from "./common.js";

export const connect: Connect = connector({ module: async () => engine, dial: dialWorkerd });
