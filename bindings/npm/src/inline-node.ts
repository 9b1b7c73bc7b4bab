import { inflateSync } from "node:zlib";

import { engine } from "../generated/engine.js";

/** @internal The same as `inlined`, in a hundredth of the time. */
export function unpacked(): Promise<WebAssembly.Module> {
  return WebAssembly.compile(inflateSync(Buffer.from(engine, "base64")));
}
