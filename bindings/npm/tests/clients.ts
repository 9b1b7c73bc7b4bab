// What takes a client has to fit the types of those clients.
import { Cluster, Redis } from "ioredis";
import { createClient, createCluster } from "redis";
import { connect } from "tenure";
import { ioredis, lend, nodeRedis, type CommandTransport } from "tenure/clients";

const mine: CommandTransport = { send: async (commands) => commands.map(() => null) };
await connect([
  lend(mine),
  ioredis(new Redis()),
  ioredis(new Cluster([])),
  nodeRedis(createClient()),
  nodeRedis(createClient({ RESP: 3 })),
  nodeRedis(createCluster({ rootNodes: [] })),
]);
// @ts-expect-error It carries out nothing.
ioredis({});
// @ts-expect-error It has to be lent.
await connect(mine);
