// Writes small WFDB records: format 16, annotations in MIT format.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One lead. */
export interface WrittenLead {
  readonly name: string;
  /** Millivolts of each frame; NaN: it is missing. */
  readonly signal: ArrayLike<number>;
}

/** What a record holds. */
export interface WrittenRecord {
  readonly rate: number;
  readonly leads: readonly WrittenLead[];
  /** Frames and MIT codes (1 N, 5 V, 8 A, ...), ascending; undefined writes no annotation file. */
  readonly beats?: readonly (readonly [frame: number, code: number])[];
}

const GAIN = 4000;
/** What format 16 has in the place of a missing sample. */
const MISSING = -32_768;

/** Writes `name.hea`, `name.dat` and, unless there are no beats, `name.atr`. */
export async function writeRecord(folder: string, name: string, record: WrittenRecord): Promise<void> {
  const { rate, leads, beats } = record;
  const frames = leads[0]?.signal.length ?? 0;
  const lines = leads.map((lead) => `${name}.dat 16 ${GAIN}/mV 16 0 0 0 0 ${lead.name}`);
  await writeFile(
    join(folder, `${name}.hea`),
    `${name} ${leads.length} ${rate} ${frames}\n${lines.join('\n')}\n`,
  );
  const samples = new Int16Array(frames * leads.length);
  leads.forEach(({ signal }, column) => {
    for (let i = 0; i < frames; i++) {
      const value = signal[i] as number;
      samples[i * leads.length + column] = Number.isNaN(value) ? MISSING : Math.round(value * GAIN);
    }
  });
  await writeFile(join(folder, `${name}.dat`), new Uint8Array(samples.buffer));
  if (beats) await writeFile(join(folder, `${name}.atr`), annotations(beats));
}

function annotations(beats: readonly (readonly [number, number])[]): Uint8Array {
  const words: number[] = [];
  let before = 0;
  for (const [frame, code] of beats) {
    const interval = frame - before;
    // SKIP carries intervals that ten bits do not hold.
    if (interval > 1023) words.push(59 << 10, interval >>> 16, interval & 0xffff, code << 10);
    else words.push((code << 10) | interval);
    before = frame;
  }
  return new Uint8Array(Uint16Array.from([...words, 0]).buffer);
}
