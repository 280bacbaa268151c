// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), as the C++ writer computes it with the SSE4.2 instruction.
//
// Invariant: crc32c(b, crc32c(a)) == crc32c(ab), so that a checksum can be streamed.

const POLY = 0x82f63b78;

// Slicing by eight: one table look-up per byte, but eight of them independent of each other, which is what a JIT can overlap.
const T = new Uint32Array(8 * 256);
for (let n = 0; n < 256; n++) {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ POLY : c >>> 1;
  T[n] = c >>> 0;
}
for (let n = 0; n < 256; n++) {
  for (let t = 1; t < 8; t++) {
    const prev = T[(t - 1) * 256 + n]!;
    T[t * 256 + n] = (T[prev & 0xff]! ^ (prev >>> 8)) >>> 0;
  }
}

export function crc32c(data: Uint8Array, previous = 0): number {
  let crc = ~previous;
  const n = data.length;
  let i = 0;
  for (; i + 8 <= n; i += 8) {
    const lo = crc ^ (data[i]! | (data[i + 1]! << 8) | (data[i + 2]! << 16) | (data[i + 3]! << 24));
    crc =
      T[1792 + (lo & 0xff)]! ^
      T[1536 + ((lo >>> 8) & 0xff)]! ^
      T[1280 + ((lo >>> 16) & 0xff)]! ^
      T[1024 + (lo >>> 24)]! ^
      T[768 + data[i + 4]!]! ^
      T[512 + data[i + 5]!]! ^
      T[256 + data[i + 6]!]! ^
      T[data[i + 7]!]!;
  }
  for (; i < n; i++) crc = T[(crc ^ data[i]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/**
 * Where one flipped bit would explain that a message of `length` bytes has the checksum `computed` instead of `stored`.
 * CRC is linear: the difference of the two depends on the place of the flip alone, so running the register backwards from
 * it, one bit of the message at a time, reaches 1 exactly at that bit. Returns undefined when no single bit of the message does
 * (several bits changed, or the flip is in the stored checksum: then the difference itself has one bit set).
 */
export function locateFlippedBit(
  stored: number,
  computed: number,
  length: number,
): { byte: number; bit: number } | undefined {
  let state = (stored ^ computed) >>> 0;
  for (let bits = 0; bits < length * 8; bits++) {
    // Undo one shift. The polynomial has its top bit set, so the top bit tells whether it was applied.
    state = state & 0x80000000 ? (((state ^ POLY) << 1) | 1) >>> 0 : (state << 1) >>> 0;
    if (state === 1) return { byte: length - 1 - Math.floor(bits / 8), bit: 7 - (bits % 8) };
  }
  return undefined;
}
