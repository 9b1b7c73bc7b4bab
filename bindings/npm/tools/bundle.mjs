// Bundles an entry for each kind of runtime, and makes the types fit for both kinds of modules.
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { build } from "esbuild";

// Short lines, because Node prints the one in which an uncaught error was made. The engine is put in afterwards: lines of it
// would be longer, and compress worse.
const PLACE = "@ENGINE@";
const place = {
  name: "place",
  setup: ({ onLoad }) => onLoad({ filter: /generated\/engine\.js$/ }, () => ({ contents: `export const engine = "${PLACE}";` })),
};
/** For runtimes that do not print the line. Longer lines compress better, and still would not fill a log. */
const LONGER = { lineLimit: 1_000 };
const options = { bundle: true, minify: true, lineLimit: 160, sourcemap: true, target: "es2022", logLevel: "warning", plugins: [place] };

/** The same classes of errors as those of the main entry. */
const errors = {
  name: "errors",
  setup: ({ onResolve }) => onResolve({ filter: /\/errors\.js$/ }, () => ({ path: "tenure", external: true })),
};

/** An entry with an engine: a bundle for each kind of runtime in a directory. */
async function bundled(source, outdir, generated, modes) {
  // Two of one name would become one in the bundle of a Worker that uses both.
  const file = modes ? "engine-modes.wasm" : "engine.wasm";
  const common = { ...options, define: { MODES: String(modes) } };
  const esm = { ...common, format: "esm", outdir };
  await Promise.all([
    build({ ...esm, ...LONGER, entryPoints: [`${source}/index.ts`], platform: "neutral" }),
    build({ ...esm, entryPoints: [`${source}/deno.ts`], platform: "neutral" }),
    build({ ...esm, entryPoints: { bun: `${source}/node.ts` }, platform: "node" }),
    build({ ...esm, ...LONGER, entryPoints: [`${source}/workerd.ts`], platform: "neutral", external: ["cloudflare:sockets", `./${file}`] }),
    build({ ...common, entryPoints: [`${source}/node.ts`], format: "cjs", outfile: `${outdir}/node.cjs`, platform: "node" }),
    build({ ...common, ...LONGER, entryPoints: [`${source}/index.ts`], format: "cjs", outfile: `${outdir}/index.cjs`, platform: "neutral" }),
  ]);
  const { engine } = await import(`../${generated}/engine.js`);
  for (const bundle of readdirSync(outdir).filter((name) => /\.c?js$/.test(name))) {
    writeFileSync(`${outdir}/${bundle}`, readFileSync(`${outdir}/${bundle}`, "utf8").replace(PLACE, engine));
  }
  copyFileSync(`${generated}/engine.wasm`, `${outdir}/${file}`);
  // One instance for both kinds of modules: a lock of one is a lock of the other.
  const names = Object.keys(createRequire(import.meta.url)(`../${outdir}/node.cjs`)).sort();
  writeFileSync(`${outdir}/node.js`, `import cjs from "./node.cjs";\nexport const { ${names.join(", ")} } = cjs;\n`);
}

await bundled("src", "dist", "generated", false);
await bundled("src/modes", "dist/modes", "generated/modes", true);
// Entries without an engine, for all runtimes.
for (const [entry, plugins] of [["clients", [errors]], ["locks", []]]) {
  const common = { ...options, entryPoints: [`src/${entry}.ts`], platform: "neutral", plugins };
  await build({ ...common, format: "esm", outdir: "dist" });
  await build({ ...common, ...LONGER, format: "cjs", outfile: `dist/${entry}.cjs` });
}

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
/** Nobody but this package makes its objects. Classes that others extend say so. */
function withoutConstructors(text, isExtended) {
  const hidden = (name) => `    ${name === "TenureError" || isExtended ? "protected" : "private"} constructor();\n`;
  return text.replace(/^export declare (?:abstract )?class (\w+).*\{\n(?![^}]*constructor\()/gm, (head, name) => head + hidden(name));
}

/** For both kinds of modules. */
function declare(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  writeFileSync(path.replace(/\.d\.ts$/, ".d.cts"), text.replace(/(from "\.[^"]*)\.js"/g, '$1.cjs"'));
}

const wanted = reachable("locks.d.ts", reachable("clients.d.ts", reachable("index.d.ts")));
const ofModes = reachable("modes/index.d.ts");
const declared = readdirSync("dist/types", { recursive: true }).filter((file) => file.endsWith(".d.ts"));
const texts = new Map(declared.map((file) => [file, readFileSync(`dist/types/${file}`, "utf8")]));
rmSync("dist/types", { recursive: true });
for (const [file, text] of texts) {
  if (wanted.has(file)) {
    declare(`dist/types/${file}`, withoutConstructors(text, false));
  }
  // Its classes are others than those of the main entry, so its declarations are, too.
  if (ofModes.has(file)) {
    declare(`dist/modes/types/${file}`, withoutConstructors(text, true));
  }
}
