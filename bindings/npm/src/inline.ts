import { engine } from "../generated/engine.js";
import { fromBase64 } from "./base64.js";

/** @internal The engine as part of the program: nothing to fetch, and no file to find. It travels compressed. */
export async function inlined(): Promise<WebAssembly.Module> {
  const unpacked = new Blob([fromBase64(engine)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return WebAssembly.compile(await new Response(unpacked).arrayBuffer());
}
