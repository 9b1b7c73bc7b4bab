import "./symbols.js";
import { connector, type Connect } from "./connect.js";
import { inlined } from "./inline.js";

export * from "./common.js";

// Browsers, and every runtime without a name of its own: WebSockets and the user's own transports.
export const connect: Connect = connector({ module: inlined });
