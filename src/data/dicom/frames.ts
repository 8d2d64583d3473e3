// Where the frames of an object lie: one after the other, or as fragments of an encapsulated value (PS3.5, annex A.4).
import type { ByteSource } from '../archive/byte-source.ts';
import type { DicomObject } from './object.ts';

/** A stretch of the file. */
interface Stretch {
  readonly start: number;
  readonly end: number;
}

/** Where each frame lies; a frame of several stretches is them one after the other. */
export interface FramePlaces {
  readonly source: ByteSource;
  readonly frames: readonly (readonly Stretch[])[];
}

const ITEM = 0xe000fffe;
const END = 0xe0ddfffe;
const ITEM_HEAD = 8;

/**
 * Frames without compression.
 * @param bytes of a frame; may end within a byte, where frames of single bits follow each other
 * @throws Error when the file is shorter than they are
 */
export function nativeFrames({ source, pixels }: DicomObject, count: number, bytes: number): FramePlaces {
  const { start, length = source.size } = pixels ?? { start: 0, length: 0 };
  const end = Math.min(source.size, start + length);
  if (start + Math.ceil(bytes * count) > end) {
    throw new Error(
      `its pixels are short: expected ${Math.ceil(bytes * count)} bytes, got ${Math.max(0, end - start)}`,
    );
  }
  const frames = Array.from({ length: count }, (_, i) => [
    { start: start + Math.floor(i * bytes), end: start + Math.ceil((i + 1) * bytes) },
  ]);
  return { source, frames };
}

/**
 * Frames of an encapsulated value: by the table of offsets, one fragment each, or all fragments for a single frame.
 * @throws Error for a malformed value, or fragments that nothing assigns to frames
 */
export async function encapsulatedFrames(
  { source, pixels }: DicomObject,
  count: number,
): Promise<FramePlaces> {
  const [table, ...fragments] = await fragmentsOf(source, pixels?.start ?? source.size);
  if (!table || fragments.length === 0) throw new Error('its pixels have no fragments');
  if (count === 1) return { source, frames: [fragments] };
  const offsets = await offsetsIn(source, table);
  if (offsets.length === count) {
    const [first = table] = fragments;
    const places = new Map(fragments.map(({ start }, at) => [start - first.start, at]));
    const starts = offsets.map((offset) => places.get(offset) ?? -1);
    const isAscending = starts.every((at, i) => at >= 0 && at > (starts[i - 1] ?? -1));
    if (starts[0] !== 0 || !isAscending) throw new Error('its table of frames is malformed');
    return { source, frames: starts.map((at, i) => fragments.slice(at, starts[i + 1])) };
  }
  if (fragments.length === count) return { source, frames: fragments.map((own) => [own]) };
  throw new Error(
    `it has ${fragments.length} fragments for ${count} frames, and no table that says which are whose`,
  );
}

/** All items of an encapsulated value, the table of offsets first. */
async function fragmentsOf(source: ByteSource, start: number): Promise<Stretch[]> {
  const found: Stretch[] = [];
  for (let at = start; at + ITEM_HEAD <= source.size; ) {
    const head = await source.read(at, at + ITEM_HEAD);
    const view = new DataView(head.buffer, head.byteOffset, ITEM_HEAD);
    const tag = view.getUint32(0, true);
    if (tag === END) return found;
    const end = at + ITEM_HEAD + view.getUint32(4, true);
    if (tag !== ITEM || end > source.size) break;
    found.push({ start: at + ITEM_HEAD, end });
    at = end;
  }
  throw new Error('its pixels are cut off or malformed');
}

async function offsetsIn(source: ByteSource, { start, end }: Stretch): Promise<number[]> {
  const bytes = await source.read(start, end);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: Math.floor(bytes.byteLength / 4) }, (_, i) => view.getUint32(4 * i, true));
}

/** The bytes of a frame. */
export async function frameBytes({ source, frames }: FramePlaces, frame: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (const { start, end } of frames[frame] ?? []) parts.push(await source.read(start, end));
  return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
}
