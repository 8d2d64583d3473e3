// Valid live signals to damage: packets as JSON lines of one bed and of two, and raw samples of every format.
import { madeSignal, regularBeats } from '../../../src/signal/test-support/made-signal.ts';
import type { Corpus } from './medical-corpus.ts';

const RATE = 180;
const SECONDS = 8;
/** Samples of a packet. */
const SIZE = 45;

/** Names say how each is read: `packets-*` as JSON lines, `samples.*` as raw samples of 180 Hz. */
export function packetCorpus(): Corpus {
  const signal = madeSignal(regularBeats(SECONDS), { rate: RATE, seconds: SECONDS }).map(
    (value) => Math.round(200 * value) / 200,
  );
  const pieces = Array.from({ length: (RATE * SECONDS) / SIZE }, (_, i) => [
    ...signal.subarray(SIZE * i, SIZE * (i + 1)),
  ]);
  const times = pieces.map((_, i) => 1000 + (i * SIZE) / RATE);
  const lines = (packets: readonly object[]): Uint8Array =>
    Buffer.from(packets.map((packet) => `${JSON.stringify(packet)}\n`).join(''));
  return {
    'packets-one.ndjson': lines(
      pieces.map((samples, i) => ({ at: times[i], rate: RATE, lead: 'II', samples })),
    ),
    'packets-two.ndjson': lines(
      pieces.flatMap((samples, i) => [
        { bed: 'a', at: times[i], ...(i === 0 ? { rate: RATE } : {}), leads: { II: samples, V1: samples } },
        // The second bed's rate changes on the way.
        { bed: 'b', rate: i < 20 ? RATE : 2 * RATE, unit: 'uV', samples: samples.map((mv) => 1000 * mv) },
      ]),
    ),
    'samples.txt': Buffer.from([...signal].map((value) => `${value}\n`).join('')),
    'samples.f32': new Uint8Array(Float32Array.from(signal).buffer),
    'samples.s16': new Uint8Array(Int16Array.from(signal, (value) => Math.round(200 * value)).buffer),
  };
}
