// Bundles an entry for each kind of runtime, and makes the types fit for both kinds of modules.
import { copyFileSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

// Short lines, because Node prints the one in which an uncaught error was made. The engine is put in afterwards: lines of it
// would be longer, and compress worse.
const { engine } = await import("../generated/engine.js");
const PLACE = "@ENGINE@";
const place = {
  name: "place",
  setup: ({ onLoad }) => onLoad({ filter: /generated\/engine\.js$/ }, () => ({ contents: `export const engine = "${PLACE}";` })),
};
const options = { bundle: true, minify: true, lineLimit: 160, sourcemap: true, target: "es2022", logLevel: "warning" };
const common = { ...options, plugins: [place] };
/** For runtimes that do not print the line. Longer lines compress better, and still would not fill a log. */
const LONGER = { lineLimit: 1_000 };
const esm = { ...common, format: "esm", outExtension: { ".js": ".js" }, outdir: "dist" };

/** The same classes of errors as those of the main entry. */
const errors = {
  name: "errors",
  setup: ({ onResolve }) => onResolve({ filter: /\/errors\.js$/ }, () => ({ path: "tenure", external: true })),
};

await Promise.all([
  build({ ...esm, ...LONGER, entryPoints: ["src/index.ts"], platform: "neutral" }),
  build({ ...esm, entryPoints: ["src/deno.ts"], platform: "neutral" }),
  build({ ...esm, entryPoints: { bun: "src/node.ts" }, platform: "node" }),
  build({ ...esm, ...LONGER, entryPoints: ["src/workerd.ts"], platform: "neutral", external: ["cloudflare:sockets", "./engine.wasm"] }),
  build({ ...common, entryPoints: ["src/node.ts"], format: "cjs", outfile: "dist/node.cjs", platform: "node" }),
  build({ ...common, ...LONGER, entryPoints: ["src/index.ts"], format: "cjs", outfile: "dist/index.cjs", platform: "neutral" }),
  build({ ...esm, entryPoints: ["src/clients.ts"], platform: "neutral", plugins: [errors] }),
  build({ ...common, entryPoints: ["src/clients.ts"], format: "cjs", outfile: "dist/clients.cjs", platform: "neutral", plugins: [errors] }),
]);
for (const file of readdirSync("dist").filter((name) => /\.c?js$/.test(name))) {
  writeFileSync(`dist/${file}`, readFileSync(`dist/${file}`, "utf8").replace(PLACE, engine));
}
copyFileSync("generated/engine.wasm", "dist/engine.wasm");

// One instance for both kinds of modules: a lock of one is a lock of the other.
const { createRequire } = await import("node:module");
const names = Object.keys(createRequire(import.meta.url)("../dist/node.cjs")).sort();
writeFileSync("dist/node.js", `import cjs from "./node.cjs";\nexport const { ${names.join(", ")} } = cjs;\n`);

/** The declarations that the public ones are made of; the rest describes what nobody can reach. */
function reachable(file, found = new Set()) {
  if (!found.has(file)) {
    found.add(file);
    for (const [, from] of readFileSync(`dist/types/${file}`, "utf8").matchAll(/from "(\.[^"]*)\.js"|import "(\.[^"]*)\.js"/g)) {
      const target = new URL(`${from}.d.ts`, `file:///${file}`).pathname.slice(1);
      if (from !== undefined && existsSync(`dist/types/${target}`)) {
        reachable(target, found);
      }
    }
  }
  return found;
}
/** Nobody but this package makes its objects. */
function withoutConstructors(text) {
  const hidden = (name) => `    ${name === "TenureError" ? "protected" : "private"} constructor();\n`;
  return text.replace(/^export declare (?:abstract )?class (\w+).*\{\n(?![^}]*constructor\()/gm, (head, name) => head + hidden(name));
}

const wanted = reachable("clients.d.ts", reachable("index.d.ts"));
for (const file of readdirSync("dist/types", { recursive: true })) {
  if (!file.endsWith(".d.ts")) {
    continue;
  }
  const path = `dist/types/${file}`;
  if (!wanted.has(file)) {
    rmSync(path);
    continue;
  }
  const text = withoutConstructors(readFileSync(path, "utf8"));
  writeFileSync(path, text);
  writeFileSync(path.replace(/\.d\.ts$/, ".d.cts"), text.replace(/(from "\.[^"]*)\.js"/g, '$1.cjs"'));
}
