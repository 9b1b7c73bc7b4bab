// Servers of which one takes the place of another: a cluster with replicas, and a master with a replica behind sentinels.
// How long a server is silent before the others count it as failed is long, and short once a master has ended: a busy machine is
// no failure.
import { setTimeout as pause } from "node:timers/promises";

const LONG_SILENCE = "60000";
const SHORT_SILENCE = "1000";
/** Replicas are there soon, and none is too old to be elected. */
const PROMPT = { "repl-diskless-sync-delay": 0 };
const CLUSTER = {
  ...PROMPT,
  "cluster-node-timeout": LONG_SILENCE,
  "cluster-require-full-coverage": "no",
  "cluster-allow-replica-migration": "no",
  "cluster-replica-validity-factor": 0,
};

/** Until it is so. Tests have a limit of their own. */
async function until(is) {
  while (!(await is())) {
    await pause(5);
  }
}

class Group {
  constructor(control) {
    this.control = control;
  }

  /** Until the server says so. One that becomes a replica closes its connections. */
  says(port, words, text) {
    return until(() => this.control.command(port, words).then((said) => said.includes(text), () => false));
  }

  /** Cuts the replica off from its master, until the next failover: what the master takes from now on is lost with it. */
  async cut() {
    this.control.stop(this.replica);
    // What lies in the socket would be read later.
    await this.control.command(this.master, ["CLIENT", "KILL", "TYPE", "replica"]);
  }

  /** Until the replica has a key. */
  async copied(key) {
    const size = () => this.control.command(this.replica, ["DBSIZE"]);
    const expected = await this.control.command(this.master, ["DBSIZE"]);
    await until(async () => (await size()) === expected);
    if (expected === 0) {
      throw new Error(`${key} is not there`);
    }
  }

  async failOver() {
    await this.control.kill(this.master);
    this.control.go(this.replica);
    await this.elect();
    this.master = this.replica;
  }

  async end() {
    await Promise.all(this.all.map((port) => this.control.kill(port)));
  }
}

/** Three masters; the first one has a replica. `master` is the first one. */
export class ReplicatedCluster extends Group {
  static async start(control) {
    const group = new ReplicatedCluster(control);
    group.masters = await control.startCluster(CLUSTER);
    group.master = group.masters[0];
    const { port, bus } = await control.startClusterNode(CLUSTER);
    group.replica = port;
    for (const master of group.masters) {
      await control.command(master, ["CLUSTER", "MEET", "127.0.0.1", `${port}`, `${bus}`]);
      await group.says(port, ["CLUSTER", "NODES"], `:${master}@`);
    }
    const id = await control.command(group.master, ["CLUSTER", "MYID"]);
    // Not before it knows that this is a master with slots.
    await until(() => control.command(port, ["CLUSTER", "REPLICATE", id]).then(() => true, () => false));
    await group.says(port, ["INFO", "replication"], "master_link_status:up");
    for (const master of group.masters) {
      await group.says(master, ["CLUSTER", "NODES"], `slave ${id}`);
    }
    return group;
  }

  get all() {
    return [...this.masters, this.replica];
  }

  get living() {
    return [this.masters[1], this.masters[2], this.replica];
  }

  async elect() {
    const { control, living } = this;
    const set = (silence) => Promise.all(living.map((port) => control.command(port, ["CONFIG", "SET", "cluster-node-timeout", silence])));
    const id = await control.command(this.replica, ["CLUSTER", "MYID"]);
    await set(SHORT_SILENCE);
    for (const port of living) {
      // Slots stand at the end of the line.
      const has = new RegExp(`^${id} .*connected \\d+-\\d+`, "m");
      await until(async () => has.test(await control.command(port, ["CLUSTER", "NODES"])));
    }
    await set(LONG_SILENCE);
    for (const port of living) {
      await this.says(port, ["CLUSTER", "INFO"], "cluster_state:ok");
    }
    this.masters[0] = this.replica;
  }

  /** A key that the master has: `number` of them. */
  async keys(number, master = 0) {
    const found = [];
    for (let at = 0; found.length < number; at += 1) {
      const slot = await this.control.command(this.masters[1], ["CLUSTER", "KEYSLOT", `key-${at}`]);
      if ((slot <= 5460 ? 0 : slot <= 10922 ? 1 : 2) === master) {
        found.push(`key-${at}`);
      }
    }
    return found;
  }

  /** Sends a command about the slot of a key to a master. */
  async setSlot(at, key, ...words) {
    const slot = await this.control.command(this.masters[at], ["CLUSTER", "KEYSLOT", key]);
    const ids = await Promise.all(this.masters.map((port) => this.control.command(port, ["CLUSTER", "MYID"])));
    await this.control.command(this.masters[at], ["CLUSTER", "SETSLOT", `${slot}`, ...words.map((word) => ids[word] ?? word)]);
  }

  /** From now on master 1 sends clients that ask for a key of this slot, if it is not there, to master 2. */
  async beginMove(key) {
    await this.setSlot(2, key, "IMPORTING", 1);
    await this.setSlot(1, key, "MIGRATING", 2);
  }

  async moveKey(key) {
    await this.control.command(this.masters[1], ["MIGRATE", "127.0.0.1", `${this.masters[2]}`, key, "0", "30000"]);
  }

  async endMove(key) {
    await this.setSlot(2, key, "NODE", 2);
    await this.setSlot(1, key, "NODE", 2);
  }
}

/** A master, its replica, and three sentinels. */
export class Sentinels extends Group {
  static async start(control) {
    const group = new Sentinels(control);
    group.master = await control.startFresh(PROMPT);
    group.replica = await control.startFresh({ ...PROMPT, replicaof: `127.0.0.1 ${group.master}` });
    await group.says(group.replica, ["INFO", "replication"], "master_link_status:up");
    const more = `sentinel down-after-milliseconds mymaster ${LONG_SILENCE}\nsentinel failover-timeout mymaster 10000\n`;
    group.sentinels = await Promise.all([0, 1, 2].map(() => control.startSentinel(group.master, 2, more)));
    for (const port of group.sentinels) {
      await group.says(port, ["INFO", "sentinel"], "slaves=1,sentinels=3");
    }
    return group;
  }

  get all() {
    return [this.master, this.replica, ...this.sentinels];
  }

  async elect() {
    const set = (silence) =>
      Promise.all(this.sentinels.map((port) => this.control.command(port, ["SENTINEL", "SET", "mymaster", "down-after-milliseconds", silence])));
    await set(SHORT_SILENCE);
    await this.#named();
    await set(LONG_SILENCE);
  }

  /** Makes a master of the replica and a replica of the master, as for maintenance. */
  async changePlaces() {
    await this.control.command(this.sentinels[0], ["SENTINEL", "FAILOVER", "mymaster"]);
    await this.#named();
    await this.says(this.master, ["INFO", "replication"], "master_link_status:up");
    [this.master, this.replica] = [this.replica, this.master];
  }

  async #named() {
    for (const port of this.sentinels) {
      await this.says(port, ["INFO", "sentinel"], `address=127.0.0.1:${this.replica},`);
    }
    await this.says(this.replica, ["INFO", "replication"], "role:master");
  }

  async keys(number) {
    return Array.from({ length: number }, (_, at) => `key-${at}`);
  }
}
