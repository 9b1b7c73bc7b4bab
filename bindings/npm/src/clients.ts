// Ready ways to reach a server other than a connection of our own. An entry apart: who does without does not load it.
export { GUARDED_SET } from "./guarded.js";
export { ioredis, nodeRedis, type Ioredis, type NodeRedis, type NodeRedisCluster } from "./transports/clients.js";
export type { Lent } from "./link.js";
export { lend, type Command, type CommandTransport, type Reply } from "./transports/commands.js";
export { upstash, type UpstashOptions } from "./transports/upstash.js";
