// What takes a client has to fit the types of those clients.
import { Cluster, Redis } from "ioredis";
import { createClient, createCluster } from "redis";
import { ioredis, nodeRedis, type CommandTransport } from "tenure/clients";

export const transports: CommandTransport[] = [
  ioredis(new Redis()),
  ioredis(new Cluster([])),
  nodeRedis(createClient()),
  nodeRedis(createClient({ RESP: 3 })),
  nodeRedis(createCluster({ rootNodes: [] })),
];
// @ts-expect-error It carries out nothing.
ioredis({});
