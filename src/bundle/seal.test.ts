// A manifest is covered by its own hash: no byte of it can change, go or come unnoticed.
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Net } from '../channels/test-support/net.ts';
import { BedsideError } from '../util/index.ts';
import { parseManifest } from './parse-manifest.ts';
import { sealed } from './seal.ts';
import { bundleOf } from './test-support/contents.ts';

const net = new Net([2, 6, 6]);
const { manifest } = bundleOf(net.head(net.relu(net.conv('a', net.input, 2, 8)), 8), { seconds: true });
const BYTES = sealed(manifest);

const codeOf = (bytes: Uint8Array): string => {
  try {
    parseManifest(bytes, 'f');
    return 'taken';
  } catch (error) {
    return BedsideError.is(error) ? error.code : String(error);
  }
};

describe('the hash at the end of a manifest', () => {
  it('is that of all bytes before its digits, and the last field', () => {
    const text = Buffer.from(BYTES);
    const digits = createHash('sha256').update(text.subarray(0, -68)).digest('hex');
    expect(text.subarray(-68).toString()).toBe(`${digits}"\n}\n`);
    expect(JSON.parse(text.toString())).toEqual({ ...manifest, sha256: digits });
    expect(parseManifest(BYTES, 'f')).toEqual(manifest);
  });

  it.each([
    [
      'a bit changed',
      (at: number) => Buffer.from(BYTES).fill((BYTES[at] as number) ^ (1 << (at % 8)), at, at + 1),
    ],
    [
      'a digit changed',
      (at: number) => Buffer.from(BYTES).fill(48 + (((BYTES[at] as number) + 1) % 10), at, at + 1),
    ],
    ['a byte gone', (at: number) => Buffer.concat([BYTES.subarray(0, at), BYTES.subarray(at + 1)])],
    [
      'a byte more',
      (at: number) => Buffer.concat([BYTES.subarray(0, at), Buffer.of(48), BYTES.subarray(at)]),
    ],
    ['the rest gone', (at: number) => Buffer.from(BYTES.subarray(0, at))],
  ])('%s is refused wherever it is', (_, damage) => {
    const codes = new Map<string, number>();
    let tried = 0;
    for (let at = 0; at < BYTES.length; at++) {
      const bytes = damage(at);
      if (bytes.equals(BYTES)) continue;
      const code = codeOf(bytes);
      codes.set(code, (codes.get(code) ?? 0) + 1);
      tried++;
    }
    expect(tried).toBeGreaterThan(2000);
    expect([...codes.keys()].filter((code) => !/^E_BUNDLE(_HASH|_VERSION)?$/.test(code))).toEqual([]);
  });
});
