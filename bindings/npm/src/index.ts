// First, so that it stands at the edge of the bundle: compressed bytes between program text make that compress badly.
import { inlined } from "./inline.js";
import "./symbols.js";
import { connector, type Connect } from "./connect.js";

export * from "./common.js";

// Browsers, and every runtime without a name of its own: WebSockets and the user's own transports.
export const connect: Connect = connector({ module: inlined });
