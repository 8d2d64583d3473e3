// Run lengths (PS3.5, annex G): a header of 64 bytes, then a segment for each byte of a sample, the high one first.

const HEADER = 64;
const MOST_SEGMENTS = 15;

/**
 * The values of a frame, interleaved.
 * @param pixels of the frame
 * @param bytes of a value: 1 or 2
 * @throws Error for a malformed frame
 */
export function decodeRle(
  content: Uint8Array,
  pixels: number,
  samples: number,
  bytes: 1 | 2,
): Uint8Array | Uint16Array {
  if (content.length < HEADER) throw new Error('its run lengths are cut off');
  // Two bytes are at most 128.
  if (pixels * samples * bytes > content.length * 64)
    throw new Error('its run lengths give fewer pixels than the image has');
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const count = view.getUint32(0, true);
  if (count !== samples * bytes || count > MOST_SEGMENTS) {
    throw new Error(`its run lengths have ${count} segments, not ${samples * bytes}`);
  }
  const result = bytes === 1 ? new Uint8Array(pixels * samples) : new Uint16Array(pixels * samples);
  for (let segment = 0; segment < count; segment++) {
    const start = view.getUint32(4 + 4 * segment, true);
    const end = segment + 1 < count ? view.getUint32(8 + 4 * segment, true) : content.length;
    if (start < HEADER || start > end || end > content.length)
      throw new Error('its run lengths are malformed');
    const sample = Math.floor(segment / bytes);
    const shift = 8 * (bytes - 1 - (segment % bytes));
    unpack(content.subarray(start, end), pixels, (i, value) => {
      const at = i * samples + sample;
      result[at] = (result[at] ?? 0) | (value << shift);
    });
  }
  return result;
}

/** PackBits: a count of literals or of repetitions before each run. */
function unpack(content: Uint8Array, pixels: number, put: (i: number, value: number) => void): void {
  let to = 0;
  for (let at = 0; at < content.length && to < pixels; ) {
    const head = content[at++] ?? 0;
    if (head === 128) continue;
    const length = head < 128 ? head + 1 : 257 - head;
    const needed = head < 128 ? length : 1;
    if (at + needed > content.length) throw new Error('its run lengths are cut off');
    for (let i = 0; i < length && to < pixels; i++) put(to++, content[head < 128 ? at + i : at] ?? 0);
    at += needed;
  }
  if (to < pixels) throw new Error('its run lengths give fewer pixels than the image has');
}
