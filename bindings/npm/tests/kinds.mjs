// Values of all kinds, and which of them a published type allows: for the tests of arguments.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import ts from "typescript";

/** Each says of which kind it is. */
export const VALUES = {
  null: null, true: true, zero: 0, number: 1_000, "negative number": -1, NaN: NaN, bigint: 5n, string: "x", symbol: Symbol("x"), array: [], "array of numbers": [5],
  "empty object": {}, function: () => {}, date: new Date(), map: new Map([["ttl", 5]]), controller: new AbortController(), signal: new AbortController().signal,
  bytes: Uint8Array.of(120), buffer: Buffer.from("x"), "array buffer": new ArrayBuffer(1), view: new DataView(new ArrayBuffer(1)), words: new Uint16Array(1), promise: Promise.resolve(1),
};

/** Which of them a type allows, by how it is written. */
const ALLOWED = {
  number: ["zero", "number"],
  boolean: ["true"],
  string: ["string"],
  Bytes: ["string", "bytes", "buffer"],
  AbortSignal: ["signal"],
  TlsOptions: ["empty object"],
  Login: ["empty object"],
  "readonly number[]": ["array", "array of numbers"],
  "RetryOptions | false": [],
  '"quorum" | "ordered"': [],
  '"none" | { full: number; } | { decorrelated: number; }': [],
  Mode: [],
  Acks: [],
  object: ["empty object"],
  function: ["function"],
};

export function allowed(type) {
  const plain = type.replace(/ \| undefined/g, "");
  const kind = plain.startsWith("{") ? "object" : plain.includes("=>") ? "function" : plain;
  assert.ok(kind in ALLOWED, `what may ${type} be?`);
  return ALLOWED[kind];
}

const written = (node) => node.getText().replace(/\/\*\*.*?\*\/\s*/gs, "").replace(/\s+/g, " ");

/** What each parameter of a method may be. */
const PARAMETERS = {
  keys: ["string", "bytes", "buffer"],
  key: ["string", "bytes", "buffer"],
  permits: ["number"],
  options: ["empty object"],
  work: ["function"],
  ttl: ["number"],
};
const SAMPLES = { keys: "k", key: "k", permits: 2, options: {}, work: () => {}, ttl: 1_000 };

/** Tries what declarations in dist/ do not allow. Each call must end with an error of that class. */
export class Trial {
  /** How many calls were tried. */
  tried = 0;
  #Refusal;
  #sources;

  constructor(Refusal, files) {
    this.#Refusal = Refusal;
    this.#sources = files.map((file) => {
      const text = readFileSync(new URL(`../dist/${file}.d.ts`, import.meta.url), "utf8");
      return ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
    });
  }

  nodesOf(name) {
    return this.#sources.flatMap((source) => source.statements.filter((node) => node.name?.text === name));
  }

  /** The options of an interface by name, and how their types are written; of an alias, those of all its parts. */
  optionsOf(name) {
    const found = {};
    const visit = (node) => {
      if (ts.isPropertySignature(node)) {
        found[node.name.text] = written(node.type);
        if (ts.isTypeLiteralNode(node.type)) {
          return;
        }
      } else if (ts.isMethodSignature(node)) {
        found[node.name.text] = "() => unknown";
      } else {
        ts.forEachChild(node, visit);
      }
    };
    this.nodesOf(name).forEach((node) => ts.forEachChild(node, visit));
    assert.ok(Object.keys(found).length > 0, name);
    return found;
  }

  /** The call ends with an error of that class that names the argument. */
  async refused(what, name, call) {
    this.tried += 1;
    if (process.env.TENURE_ARGUMENTS) {
      console.log(what);
    }
    let promise;
    try {
      promise = call();
    } catch (error) {
      promise = Promise.reject(error);
    }
    const error = await Promise.resolve(promise).then(() => undefined, (reason) => reason);
    assert.ok(error instanceof this.#Refusal, `${what}: ${error}`);
    assert.ok(error.message.includes(name), `${what}: ${error.message}`);
    assert.ok(error.message.length < 400, error.message);
  }

  /** Each option of an interface with each value that its type does not allow, and names that it does not have. */
  async tryOptions(what, table, call, path = "") {
    for (const [option, type] of Object.entries(table)) {
      for (const [kind, value] of Object.entries(VALUES)) {
        if (!allowed(type).includes(kind)) {
          await this.refused(`${what} ${path}${option}: ${kind}`, `${path}${option}`, () => call({ [option]: value }));
        }
      }
    }
    for (const option of ["no_such_option", ...Object.keys(table).map((name) => name.toUpperCase()), ...Object.keys(table).map((name) => `${name}Ms`)]) {
      await this.refused(`${what} ${path}${option}`, `${path}${option}`, () => call({ [option]: 1 }));
      await this.refused(`${what} ${path}${option}: undefined`, `${path}${option}`, () => call({ [option]: undefined }));
    }
  }

  /** The methods of a class, with their parameters by name. */
  #methodsOf(name) {
    const [declared] = this.nodesOf(name).filter(ts.isClassDeclaration);
    const methods = declared.members.filter((member) => ts.isMethodDeclaration(member) && ts.isIdentifier(member.name));
    return methods.map((method) => [method.name.text, method.parameters.map((parameter) => parameter.name.text)]);
  }

  /** Each parameter of each method with each value that its type does not allow. */
  async tryMethods(type, object) {
    for (const [method, parameters] of this.#methodsOf(type)) {
      assert.equal(typeof object[method], "function", method);
      for (const [at, parameter] of parameters.entries()) {
        assert.ok(parameter in PARAMETERS, `what may ${parameter} of ${method} be?`);
        // A function in place of the options is the work.
        const overloaded = method === "using" && parameters.length === 2 && parameter === "work";
        for (const [kind, value] of Object.entries({ ...VALUES, "list of no keys": [null], set: new Set(["k"]), "wrong list": ["k", 5] })) {
          if (PARAMETERS[parameter].includes(kind) || (parameter === "keys" && kind === "array") || (overloaded && kind === "empty object")) {
            continue;
          }
          const given = parameters.map((name) => SAMPLES[name]);
          given[at] = value;
          await this.refused(`${type}.${method} ${parameter}: ${kind}`, overloaded ? "" : parameter, () => object[method](...given));
        }
      }
    }
  }
}
