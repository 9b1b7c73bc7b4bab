// A bridge from the REST format of Upstash to a server that speaks RESP, for tests. What it understands is what Upstash
// documents; that it does so is shown by its own published client, which the tests run against it first.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { once } from "node:events";

const { Redis } = createRequire(new URL("runtimes/package.json", import.meta.url))("ioredis");

const TOKEN = "AX7sASQgODMy-test";

export class Rest {
  token = TOKEN;
  url;
  /** Each request: its path, how many commands it had, and the headers that matter. */
  requests = [];
  /** The most requests that were there at one time. */
  together = 0;
  /** What it answers instead, when set: a function of the response. */
  instead;
  /** How many answers get lost, after the commands were carried out. */
  lost = 0;
  #open = 0;
  #redis;
  #http = createServer((request, response) => void this.serve(request, response, request.url));

  constructor(port) {
    this.#redis = new Redis(port, "127.0.0.1");
    // The server may be killed before the bridge is closed.
    this.#redis.on("error", () => {});
  }

  /** Listens at an address of its own. */
  async open() {
    this.#http.listen(0, "127.0.0.1");
    await once(this.#http, "listening");
    this.url = `http://127.0.0.1:${this.#http.address().port}`;
    return this;
  }

  close() {
    this.#redis.disconnect();
    this.#http.closeAllConnections();
    this.#http.close();
  }

  /** Answers one request, for the path below its address. */
  async serve(request, response, path) {
    this.together = Math.max(this.together, (this.#open += 1));
    response.on("close", () => (this.#open -= 1));
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) {
      body += chunk;
    }
    const { method, headers } = request;
    const asked = { method, path, body, authorization: headers.authorization, base64: headers["upstash-encoding"] === "base64" };
    const known = { path, sync: headers["upstash-sync-token"], base64: asked.base64 };
    this.requests.push(known);
    if (this.instead) {
      return this.instead(response);
    }
    response.setHeader("content-type", "application/json");
    response.setHeader("upstash-sync-token", `state-${this.requests.length}`);
    const [status, answer] = await this.#answer(asked, known);
    if (this.lost > 0) {
      this.lost -= 1;
      return response.destroy();
    }
    response.statusCode = status;
    response.end(JSON.stringify(answer));
  }

  async #answer({ method, path, body, authorization, base64 }, known) {
    if (method !== "POST") {
      return [405, { error: "ERR method not allowed" }];
    }
    if (authorization !== `Bearer ${this.token}`) {
      return [401, { error: "WRONGPASS invalid or missing auth token" }];
    }
    if (!["/", "/pipeline", "/multi-exec"].includes(path)) {
      return [404, { error: "ERR not here" }];
    }
    let wanted;
    try {
      wanted = JSON.parse(body);
    } catch {
      return [400, { error: "ERR failed to parse the request" }];
    }
    const list = path === "/" ? [wanted] : wanted;
    const isCommand = (command) => Array.isArray(command) && command.every((word) => typeof word !== "object");
    if (!Array.isArray(list) || !list.every(isCommand)) {
      return [400, { error: "ERR a command is a list of words" }];
    }
    known.commands = list.length;
    const commands = list.map(([name, ...words]) => [String(name), ...words.map(String)]);
    switch (path) {
      case "/": {
        const [answer] = await this.#each(commands, base64);
        return [answer.error === undefined ? 200 : 400, answer];
      }
      case "/pipeline":
        return [200, await this.#each(commands, base64)];
      default:
        return this.#together(commands, base64);
    }
  }

  #each(commands, base64) {
    const answers = commands.map(async ([name, ...words]) => {
      try {
        return { result: encoded(await this.#redis.callBuffer(name, words), base64) };
      } catch (error) {
        return { error: error.message };
      }
    });
    return Promise.all(answers);
  }

  async #together(commands, base64) {
    const multi = this.#redis.multi();
    commands.forEach(([name, ...words]) => multi.callBuffer(name, words));
    try {
      const answers = await multi.exec();
      return [200, answers.map(([error, result]) => (error ? { error: error.message } : { result: encoded(result, base64) }))];
    } catch (error) {
      return [400, { error: error.message }];
    }
  }
}

/** Strings in base64 or as text, but for `OK`. */
function encoded(result, base64) {
  if (Array.isArray(result)) {
    return result.map((each) => encoded(each, base64));
  }
  if (!Buffer.isBuffer(result)) {
    return result;
  }
  const text = result.toString();
  return text === "OK" || !base64 ? text : result.toString("base64");
}
