import { engine } from "../generated/engine.js";

/** @internal The engine as part of the program: nothing to fetch, and no file to find. It travels compressed. */
export async function inlined(): Promise<WebAssembly.Module> {
  const bytes = Uint8Array.from(atob(engine), (character) => character.charCodeAt(0));
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return WebAssembly.compile(await new Response(unpacked).arrayBuffer());
}
