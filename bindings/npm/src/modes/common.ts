/// <reference lib="esnext.disposable" preserve="true" />

export type { Released } from "../cell.js";
export type { Server } from "../connect.js";
export { ArgumentError, ClosedError, ConnectError, EngineError, InspectError, LockLostError } from "../errors.js";
export { TenureError, type LockLostCode, type NotObtainedCode } from "../errors.js";
export type { Lent } from "../link.js";
export type { Bytes, Login, RetryOptions, TlsOptions } from "../options.js";
export type { Holding, Keys } from "../locker.js";
export type { Connection, Transport } from "../transports/streams.js";
export type { Acks } from "./acks.js";
export { ModeError, NotObtainedError, type Holder, type ModeErrorCode, type NotChangedCode } from "./errors.js";
export type { ConnectOptions, TenureEvent } from "./events.js";
export { Lock } from "./lock.js";
export { Locker, type ModeOptions } from "./locker.js";
export type { Mode, ObtainOptions } from "./mode.js";
export type { Status } from "./status.js";

import type { Server } from "../connect.js";
import type { ConnectOptions } from "./events.js";
import type { Locker } from "./locker.js";

/** Connects to one server, or to several: see `Connect` of the entry `tenure`. Modes need `arrangement: "ordered"` for several. */
export type Connect = (servers: Server | readonly Server[], options?: ConnectOptions) => Promise<Locker>;
