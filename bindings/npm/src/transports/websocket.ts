import type { Dial } from "../link.js";

/** @internal A WebSocket to a bridge, which passes the bytes of one server on in binary messages, cut anywhere. */
export function dialWebSocket(url: string): Dial {
  return (listener) => {
    const { WebSocket } = globalThis;
    if (WebSocket === undefined) {
      throw new Error("this runtime has no WebSocket");
    }
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => listener.opened();
    socket.onmessage = ({ data }) =>
      data instanceof ArrayBuffer
        ? listener.received(new Uint8Array(data))
        : listener.gone("the bridge sent text instead of binary messages");
    // An error is always followed by a close, and neither says more than this. But on some runtimes an error without a listener is thrown.
    socket.onerror = () => {};
    socket.onclose = ({ code, reason }) => listener.gone(reason || `the WebSocket was closed (${code})`);
    return {
      send: (bytes) => socket.send(bytes as Uint8Array<ArrayBuffer>),
      close: () => socket.close(),
    };
  };
}
