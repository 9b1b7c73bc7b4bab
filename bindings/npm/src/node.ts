// First, so that it stands at the edge of the bundle: compressed bytes between program text make that compress badly.
import { inlined } from "./inline.js";
import "./symbols.js";
import { connector, type Connect } from "./connect.js";
import { dialNode } from "./transports/node.js";

export * from "./common.js";

export const connect: Connect = connector({ module: inlined, dial: dialNode });
