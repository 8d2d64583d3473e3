// WFDB signal files (signal(5) of the WFDB Application Guide): interleaved samples to physical units.
import { BedsideError } from '../../util/index.ts';
import { millivoltsOf, unitGuess } from '../recordings/units.ts';
import { isWfdbFormat, SAMPLE_FORMATS, type SampleFormat, unreadFormat } from './formats.ts';
import type { WfdbHeader, WfdbSignal } from './header.ts';

/**
 * Frames of a record: what its header says, else what its first signal file holds.
 * @param bytes the size of the file that `signal` is in
 */
export function frameCount(header: WfdbHeader, signal: WfdbSignal, bytes: number): number {
  if (header.frames !== undefined) return header.frames;
  const samples = Math.floor(((bytes - signal.offset) * 8) / formatOf(header, signal).bits);
  return Math.max(0, Math.floor(samples / frameLayout(header, signal).frameSamples));
}

/**
 * One signal in millivolts: (sample - baseline) / gain, one value per frame (the mean of its samples there), shifted
 * back by its skew. Missing samples are NaN.
 * @param content the whole signal file
 * @throws BedsideError E_DATA when the file is shorter than the header promises, or its format is not read
 */
export function decodeSignal(header: WfdbHeader, signal: WfdbSignal, content: Uint8Array): Float64Array {
  const { frameSamples, first } = frameLayout(header, signal);
  const format = formatOf(header, signal);
  const frames = frameCount(header, signal, content.length);
  const expected = signal.offset + format.bytes(frames * frameSamples);
  if (content.length < expected) {
    throw new BedsideError(
      'E_DATA',
      `signal file ${signal.file} of record ${header.record} is short: expected ${expected} bytes, got ${content.length}`,
      { hint: 'the file is cut off; copy or download it again' },
    );
  }
  const { missing, isDifference } = format;
  const perUnit = stepsPerMillivolt(signal);
  const result = new Float64Array(frames).fill(Number.NaN);
  let before = signal.initial;
  for (let frame = isDifference ? 0 : signal.skew; frame < frames; frame++) {
    const start = frame * frameSamples + first;
    let sum = 0;
    for (let i = start; i < start + signal.samplesPerFrame; i++) {
      let sample = format.read(content, signal.offset, i);
      if (isDifference) {
        before += sample;
        sample = before;
      }
      sum += sample === missing ? Number.NaN : sample;
    }
    if (frame < signal.skew) continue;
    result[frame - signal.skew] = (sum / signal.samplesPerFrame - signal.baseline) / perUnit;
  }
  return result;
}

/** Steps of the converter in a millivolt, or in the signal's own unit where that is no voltage. */
export function stepsPerMillivolt({ gain, units }: WfdbSignal): number {
  return gain / (millivoltsOf(units) ?? 1);
}

/** What is guessed about a signal's values; undefined where its header says it all. */
export function guessOf({ units, gain, hasGain }: WfdbSignal): string | undefined {
  return hasGain ? unitGuess(units) : `without a gain: ${gain} steps a millivolt were taken`;
}

/** How a signal's samples are stored. @throws BedsideError E_DATA for a format that is not read */
export function formatOf(header: WfdbHeader, { format, description }: WfdbSignal): SampleFormat {
  if (isWfdbFormat(format)) return SAMPLE_FORMATS[format];
  throw new BedsideError(
    'E_DATA',
    `record ${header.record}: signal ${description || 'without a name'} has signal format ${format}, which ${unreadFormat(format)}`,
    { hint: 'write the record again in format 16 or 212 (xform, wrsamp), or leave it out with --records' },
  );
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
