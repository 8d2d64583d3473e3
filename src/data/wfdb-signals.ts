// WFDB signal files, formats 212 and 16 (signal(5) of the WFDB Application Guide): interleaved samples to physical
// units.
import { BedsideError } from '../util/index.ts';
import type { WfdbFormat, WfdbHeader, WfdbSignal } from './wfdb-header.ts';

// The most negative number of a format marks a missing sample.
const FORMATS: {
  readonly [F in WfdbFormat]: { readonly missing: number; readonly bytes: (samples: number) => number };
} = {
  212: { missing: -2048, bytes: (samples) => Math.ceil(samples * 1.5) },
  16: { missing: -32768, bytes: (samples) => samples * 2 },
};

// Physical units in millivolts; values in any other unit stay as they are.
const MILLIVOLTS: Readonly<Record<string, number>> = { mV: 1, V: 1000, uV: 1e-3, µV: 1e-3, μV: 1e-3 };

/**
 * Frames of a record: what its header says, else what its first signal file holds.
 * @param bytes the size of the file that `signal` is in
 */
export function frameCount(header: WfdbHeader, signal: WfdbSignal, bytes: number): number {
  if (header.frames !== undefined) return header.frames;
  const samples = Math.floor((bytes - signal.offset) / (signal.format === 212 ? 1.5 : 2));
  return Math.max(0, Math.floor(samples / frameLayout(header, signal).frameSamples));
}

/**
 * One signal in millivolts: (sample - baseline) / gain, one value per frame (the mean of its samples there), shifted
 * back by its skew. Missing samples are NaN.
 * @param content the whole signal file
 * @throws BedsideError E_DATA when the file is shorter than the header promises
 */
export function decodeSignal(header: WfdbHeader, signal: WfdbSignal, content: Uint8Array): Float64Array {
  const { frameSamples, first } = frameLayout(header, signal);
  const frames = frameCount(header, signal, content.length);
  const expected = signal.offset + FORMATS[signal.format].bytes(frames * frameSamples);
  if (content.length < expected) {
    throw new BedsideError(
      'E_DATA',
      `signal file ${signal.file} of record ${header.record} is short: expected ${expected} bytes, got ${content.length}`,
      { hint: 'the file is cut off; copy or download it again' },
    );
  }
  const sampleAt = signal.format === 212 ? read212(content, signal.offset) : read16(content, signal.offset);
  const { missing } = FORMATS[signal.format];
  const perUnit = signal.gain / (MILLIVOLTS[signal.units] ?? 1);
  const result = new Float64Array(frames).fill(Number.NaN);
  for (let frame = signal.skew; frame < frames; frame++) {
    const start = frame * frameSamples + first;
    let sum = 0;
    for (let i = start; i < start + signal.samplesPerFrame; i++) {
      const sample = sampleAt(i);
      sum += sample === missing ? Number.NaN : sample;
    }
    result[frame - signal.skew] = (sum / signal.samplesPerFrame - signal.baseline) / perUnit;
  }
  return result;
}

/** Samples of one frame in this signal's file, and where this signal's are among them. */
function frameLayout(header: WfdbHeader, signal: WfdbSignal): { frameSamples: number; first: number } {
  let frameSamples = 0;
  let first = 0;
  for (const other of header.signals) {
    if (other === signal) first = frameSamples;
    if (other.file === signal.file) frameSamples += other.samplesPerFrame;
  }
  return { frameSamples, first };
}

/** Two 12-bit two's-complement samples in three bytes; the middle byte holds the high bits of both. */
function read212(content: Uint8Array, offset: number): (index: number) => number {
  return (index) => {
    const at = offset + (index >> 1) * 3;
    const middle = content[at + 1] ?? 0;
    const word =
      index & 1
        ? ((middle & 0xf0) << 4) | (content[at + 2] ?? 0)
        : ((middle & 0x0f) << 8) | (content[at] ?? 0);
    return word > 2047 ? word - 4096 : word;
  };
}

/** 16-bit two's-complement samples, low byte first. */
function read16(content: Uint8Array, offset: number): (index: number) => number {
  return (index) => {
    const at = offset + index * 2;
    return (((content[at] ?? 0) | ((content[at + 1] ?? 0) << 8)) << 16) >> 16;
  };
}
