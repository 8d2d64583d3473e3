// DICOM files that are damaged on purpose: coded errors, no crash, and nothing of the file on the console.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { BedsideError } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { rounds } from '../../util/test-support/rounds.ts';
import { testInstance } from '../test-support/study.ts';
import { readSource } from './source.ts';

const written: string[] = [];
beforeEach(() => {
  for (const name of ['log', 'info', 'warn', 'error', 'debug', 'trace'] as const)
    vi.spyOn(console, name).mockImplementation((...words) => void written.push(words.join(' ')));
});
afterEach(() => {
  vi.restoreAllMocks();
});

const LENGTHS = [0xffffffff, 0x7fffffff, 0xfffffffe, 2 ** 28, 0];

/** Flipped bytes, a cut, a lying length, or bytes put in. */
function damaged(base: Uint8Array, random: Random): Uint8Array {
  const bytes = new Uint8Array(base);
  const at = random.integer(bytes.length - 4);
  switch (random.integer(4)) {
    case 0:
      for (let k = 0; k <= random.integer(8); k++) bytes[random.integer(bytes.length)] = random.integer(256);
      return bytes;
    case 1:
      return bytes.slice(0, at);
    case 2:
      new DataView(bytes.buffer).setUint32(at, LENGTHS[random.integer(LENGTHS.length)] ?? 0, true);
      return bytes;
    default: {
      const more = Uint8Array.from({ length: random.integer(64) }, () => random.integer(256));
      return new Uint8Array([...bytes.subarray(0, at), ...more, ...bytes.subarray(at)]);
    }
  }
}

/** 2,000 in test:long take seconds and give the same. */
const CASES = rounds(50, 2000);

it('are read or refused with a code, and print nothing', async () => {
  const base = await testInstance({ width: 16, height: 16 });
  const random = new Random(3);
  const outcomes = { read: 0, refused: 0 };
  for (let i = 0; i < CASES; i++) {
    const bytes = damaged(base, random);
    for (const read of [readSource]) {
      const error: unknown = await read(bytes).then(
        () => undefined,
        (cause: unknown) => cause,
      );
      if (error === undefined) outcomes.read++;
      else {
        expect(
          BedsideError.is(error, 'E_DATA') || BedsideError.is(error, 'E_UNSUPPORTED'),
          String(error),
        ).toBe(true);
        outcomes.refused++;
      }
    }
  }
  expect(outcomes.read).toBeGreaterThan(CASES / 4);
  expect(outcomes.refused).toBeGreaterThan(CASES / 5);
  expect(written).toEqual([]);
});
