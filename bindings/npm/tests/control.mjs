// Starts servers for the scenarios, and does to them what they ask for: over HTTP, because a Worker or a page cannot.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";

import { Lossy } from "./lossy.mjs";
import { Rest } from "./rest.mjs";

/** Which server is meant unless a test says it. */
const SERVER = process.env.TENURE_SERVER ?? "redis7";

/** Where a server is, by its name in target/servers. */
function binaryOf(name) {
  return process.env[`TENURE_${name.toUpperCase()}`] ?? new URL(`../../../target/servers/${name}`, import.meta.url).pathname;
}

/** A port that was free a moment ago. */
async function freePort() {
  const server = createTcpServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

export class Control {
  #directory = mkdtempSync(join(tmpdir(), "tenure-npm-"));
  #servers = new Map();
  #rests = new Map();
  #lossy = new Map();
  #http = createServer((request, response) => void this.#answer(request, response));
  url;
  /** What the page at its address runs: a page may ask only whom it came from. */
  script = "";

  async open() {
    this.#http.listen(0, "127.0.0.1");
    await once(this.#http, "listening");
    this.url = `http://127.0.0.1:${this.#http.address().port}/`;
    return this;
  }

  async close() {
    await Promise.all([...this.#servers.keys()].map((port) => this.kill(port)));
    this.#rests.forEach((rest) => rest.close());
    this.#lossy.forEach((proxy) => proxy.close());
    this.#http.closeAllConnections();
    this.#http.close();
    rmSync(this.#directory, { recursive: true });
  }

  /** Whether a server or a proxy of ours has this port. */
  has(port) {
    return this.#servers.has(port) || this.#lossy.has(port);
  }

  get http() {
    return this.#http;
  }

  /** A server that answers. */
  async start(port, more = {}, name = SERVER) {
    const binary = binaryOf(name);
    // Of its own: a replica writes down what it gets, and a node of a cluster which slots it has.
    const dir = mkdtempSync(join(this.#directory, "server-"));
    const options = { save: "", appendonly: "no", bind: "127.0.0.1", dir, loglevel: "warning" };
    const words = Object.entries({ ...options, port, ...more }).flatMap(([name, value]) => [`--${name}`, `${value}`]);
    const child = spawn(binary, words, { stdio: "ignore", argv0: "redis-server" });
    this.#servers.set(port, child);
    for (;;) {
      try {
        await this.command(port, ["PING"]);
        return port;
      } catch (error) {
        if (String(error).includes("NOAUTH")) {
          return port;
        }
        if (child.exitCode !== null) {
          throw new Error(`${binary} ended with ${child.exitCode}`, { cause: error });
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  }

  /** Ends a server at once, as a crash does. */
  async kill(port) {
    const child = this.#servers.get(port);
    this.#servers.delete(port);
    if (child) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  }

  /** Lets a server stand still, as one that is silent, and go on. */
  stop(port) {
    this.#servers.get(port).kill("SIGSTOP");
  }

  go(port) {
    this.#servers.get(port).kill("SIGCONT");
  }

  /** A server with TLS, a Unix socket and a password. */
  async startSecure(more = { requirepass: "hunter2" }) {
    const file = (name) => join(this.#directory, name);
    const [socket, ca, key, certificate] = ["socket", "ca.pem", "key.pem", "certificate.pem"].map(file);
    const sign = (name, keyout, out, more) => {
      const words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
      execFileSync("openssl", [...words, "-subj", `/CN=${name}`, "-keyout", keyout, "-out", out, ...more], { stdio: "ignore" });
    };
    sign("tests", file("ca-key.pem"), ca, []);
    const leaf = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    sign("localhost", key, certificate, ["-CA", ca, "-CAkey", file("ca-key.pem"), ...leaf]);
    const tlsPort = await freePort();
    const tls = { "tls-port": tlsPort, "tls-cert-file": certificate, "tls-key-file": key, "tls-auth-clients": "no" };
    // The plain port answers without a password, too: it only says that one is needed.
    const plain = await this.startFresh({ ...tls, unixsocket: socket, ...more });
    return { plain, port: tlsPort, ca: readFileSync(ca, "utf8"), socket, password: "hunter2" };
  }

  /** A Sentinel that knows this server as `mymaster`; so many have to agree that it is down. */
  async startSentinel(master, quorum = 1, more = "") {
    for (;;) {
      const port = await freePort();
      const file = join(this.#directory, `sentinel-${port}.conf`);
      writeFileSync(file, `port ${port}\nbind 127.0.0.1\ndir ${this.#directory}\nsentinel monitor mymaster 127.0.0.1 ${master} ${quorum}\n${more}`);
      const child = spawn(binaryOf("redis7"), [file, "--sentinel"], { stdio: "ignore", argv0: "redis-sentinel" });
      this.#servers.set(port, child);
      while (child.exitCode === null) {
        try {
          await this.command(port, ["PING"]);
          return port;
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      }
    }
  }

  /** Three masters with a third of the slots each. */
  async startCluster(more = {}, name = "redis7") {
    const nodes = [];
    for (const [first, last] of [["0", "5460"], ["5461", "10922"], ["10923", "16383"]]) {
      const { port, bus } = await this.startClusterNode(more, name);
      await this.command(port, ["CLUSTER", "ADDSLOTSRANGE", first, last]);
      nodes.push({ port, bus });
    }
    for (const { port, bus } of nodes.slice(1)) {
      await this.command(nodes[0].port, ["CLUSTER", "MEET", "127.0.0.1", `${port}`, `${bus}`]);
    }
    for (const { port } of nodes) {
      while (!(await this.command(port, ["CLUSTER", "INFO"])).includes("cluster_state:ok"));
      while ((await this.command(port, ["CLUSTER", "NODES"])).trim().split("\n").length < 3);
    }
    return nodes.map(({ port }) => port);
  }

  /** A server that can be part of a cluster, and the port by which the others reach it. */
  async startClusterNode(more, name) {
    const bus = await freePort();
    return { port: await this.startFresh({ "cluster-enabled": "yes", "cluster-port": bus, ...more }, name), bus };
  }

  async startFresh(more, name) {
    for (let tries = 0; ; tries += 1) {
      try {
        return await this.start(await freePort(), more, name);
      } catch (error) {
        // Somebody else may have been faster to take the port.
        if (tries === 5) {
          throw error;
        }
      }
    }
  }

  /** One command on a connection of its own. */
  async command(port, words) {
    const socket = connect(port, "127.0.0.1");
    try {
      const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
      socket.write(`*${words.length}\r\n${parts.join("")}`);
      let answer = "";
      for await (const chunk of socket.setEncoding("utf8")) {
        answer += chunk;
        const whole = reply(answer);
        if (whole !== undefined) {
          return whole;
        }
      }
      throw new Error("the server closed the connection");
    } finally {
      socket.destroy();
    }
  }

  /** A bridge to a server, at this address: a page may ask no other. */
  #rest(port) {
    const rest = new Rest(port);
    this.#rests.set(`${port}`, rest);
    return { url: `${this.url}rest/${port}`, token: rest.token };
  }

  async #answer(request, response) {
    const [, port, path] = /^\/rest\/(\d+)(.*)$/.exec(request.url) ?? [];
    if (port) {
      return this.#rests.get(port).serve(request, response, path || "/");
    }
    if (request.method === "GET") {
      const isScript = request.url.endsWith(".js");
      response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
      return response.end(isScript ? this.script : '<script type="module" src="page.js"></script>');
    }
    try {
      let body = "";
      for await (const chunk of request) {
        body += chunk;
      }
      const result = await this.#do(JSON.parse(body));
      response.end(JSON.stringify({ result }));
    } catch (error) {
      response.end(JSON.stringify({ error: String(error) }));
    }
  }

  /** The port of a proxy to a server that can lose answers. */
  async #lossyTo(target) {
    const proxy = new Lossy(target);
    const port = await proxy.open();
    this.#lossy.set(port, proxy);
    return port;
  }

  #do({ port, start, secure, kill, restart, rest, lossy, lose, command }) {
    if (lossy) {
      return this.#lossyTo(port);
    }
    if (lose) {
      return this.#lossy.get(port).lose(lose);
    }
    if (rest) {
      return this.#rest(port);
    }
    if (secure) {
      return this.startSecure();
    }
    if (start) {
      return this.startFresh();
    }
    if (kill) {
      return this.kill(port);
    }
    return restart ? this.start(port) : this.command(port, command);
  }
}

/** A reply that is no list; nothing while it is not whole. */
function reply(text) {
  const end = text.indexOf("\r\n");
  if (end < 0) {
    return undefined;
  }
  const line = text.slice(1, end);
  switch (text[0]) {
    case "+":
      return line;
    case ":":
      return Number(line);
    case "$": {
      if (line === "-1") {
        return null;
      }
      const bytes = Buffer.from(text.slice(end + 2));
      return bytes.length < Number(line) + 2 ? undefined : bytes.subarray(0, Number(line)).toString();
    }
    default:
      throw new Error(text);
  }
}
