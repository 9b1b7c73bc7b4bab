// The API of `navigator.locks`, on servers. An entry of its own, without an engine: it uses a locker of `tenure/modes`.
export { LockManager, type LocksOptions, type WebLocker } from "./locks/manager.js";
export { Lock, type LockGrantedCallback, type LockInfo, type LockMode, type LockOptions, type Snapshot } from "./locks/lock.js";
