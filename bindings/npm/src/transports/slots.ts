const SLOTS = 16_384;

/** @internal The slot of a key in a cluster: CRC-16 (XMODEM) of the part in its first braces, or of all of it. */
export function slotOf(key: Uint8Array): number {
  const open = key.indexOf(123);
  const close = open < 0 ? -1 : key.indexOf(125, open + 1);
  let crc = 0;
  for (const byte of close > open + 1 ? key.subarray(open + 1, close) : key) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
    }
  }
  return (crc & 0xffff) % SLOTS;
}
