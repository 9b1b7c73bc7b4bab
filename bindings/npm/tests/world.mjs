// What the scenarios are made of: checks, and servers and clients that end with them. It runs wherever they do.

export function check(condition, what) {
  if (!condition) {
    throw new Error(what);
  }
}

export function equal(actual, expected, what) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  check(a === b, `${what}: ${a} instead of ${b}`);
}

/** The error that a promise is rejected with. */
export async function rejected(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it should have been rejected");
}

/** Resolves when the signal is aborted. Nothing waits endlessly: the whole run has a limit. */
export function aborted(signal) {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve(signal.reason);
    }
    signal.addEventListener("abort", () => resolve(signal.reason));
  });
}

/** One run of one scenario: servers and clients that end with it. */
export class World {
  traces = {};
  #clients = [];
  #servers = [];

  constructor(tenure, control, url) {
    this.tenure = tenure;
    this.#control = control;
    this.url = url;
  }
  #control;

  async #ask(what) {
    const response = await fetch(this.#control, { method: "POST", body: JSON.stringify(what) });
    const answer = await response.json();
    check(answer.error === undefined, `control server: ${answer.error}`);
    return answer.result;
  }

  /** A server of our own, by its port. */
  async server() {
    const port = await this.#ask({ start: true });
    this.#servers.push(port);
    return port;
  }

  /** A command as somebody else. */
  command(port, ...words) {
    return this.#ask({ port, command: words });
  }

  kill(port) {
    return this.#ask({ port, kill: true });
  }

  restart(port) {
    return this.#ask({ port, restart: true });
  }

  /** The port of a proxy that can lose answers. */
  lossy(port) {
    return this.#ask({ port, lossy: true });
  }

  /** It loses the answers to the next writes. */
  lose(port, count = 1) {
    return this.#ask({ port, lose: count });
  }

  /** Where a server is reached in the format of Upstash. */
  rest(port) {
    return this.#ask({ port, rest: true });
  }

  /** A client, of ports or of transports, whose events are noted under its name. */
  async client(name, servers, options = {}, connect = this.tenure.connect) {
    const trace = (this.traces[name] = []);
    const onEvent = (event) => {
      const word = event.type === "node_ready" && event.tracking ? "tracking" : event.reason;
      trace.push([event.type, word].filter(Boolean).join(" "));
    };
    const all = [servers].flat().map((server) => (typeof server === "number" ? this.url(server) : server));
    const client = await connect(all, { requestTimeout: 2_000, ...options, onEvent });
    this.#clients.push(client);
    return client;
  }

  /** Until a client has all its servers: it begins as soon as a quorum is there. */
  complete(name, ports) {
    return this.ready(name, ports.length, ports[0]);
  }

  /** Until servers have been ready so many times; this one is asked meanwhile. */
  async ready(name, times, port) {
    while (this.traces[name].filter((line) => line.startsWith("node_ready")).length < times) {
      await this.command(port, "PING");
    }
  }

  /** Until others wait for a key: the server counts the keys that clients have registered for. */
  async tracked(port, keys) {
    while (!(await this.command(port, "INFO", "stats")).includes(`tracking_total_keys:${keys}\r`));
  }

  /** How many requests for a lock a server has received. */
  async requests(port) {
    const stats = await this.command(port, "INFO", "commandstats");
    return Number(/^cmdstat_set:calls=(\d+)/m.exec(stats)?.[1] ?? 0);
  }

  /** Until it has received more than these. */
  async askedAfter(port, before) {
    while ((await this.requests(port)) <= before);
  }

  /** In which order servers come and go is theirs. */
  leaveOutNodes() {
    for (const [name, trace] of Object.entries(this.traces)) {
      this.traces[name] = trace.filter((line) => !line.startsWith("node_"));
    }
  }

  /** How often depends on time. */
  leaveOutRepeats() {
    for (const [name, trace] of Object.entries(this.traces)) {
      this.traces[name] = [...new Set(trace)];
    }
  }

  async end() {
    await Promise.all(this.#clients.map((client) => client.close()));
    await Promise.all(this.#servers.map((port) => this.kill(port)));
  }
}
