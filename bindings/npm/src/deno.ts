import "./symbols.js";
import { connector, type Connect } from "./connect.js";
import { inlined } from "./inline.js";
import { dialDeno } from "./transports/deno.js";

export * from "./common.js";

export const connect: Connect = connector({ module: inlined, dial: dialDeno });
