/// <reference lib="esnext.disposable" preserve="true" />

export type { Released } from "./cell.js";
export type { Connect, Server } from "./connect.js";
export { ArgumentError, ClosedError, ConnectError, EngineError, InspectError, LockLostError } from "./errors.js";
export { NotObtainedError, TenureError, type LockLostCode, type NotObtainedCode } from "./errors.js";
export type { Lent } from "./link.js";
export { Lock } from "./lock.js";
export type { Bytes, ConnectOptions, Login, ObtainOptions, RetryOptions, TenureEvent, TlsOptions } from "./options.js";
export { Locker, type Holding, type Keys } from "./locker.js";
export type { Connection, Transport } from "./transports/streams.js";
