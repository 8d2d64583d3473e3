import { expect, it } from 'vitest';
import { decodeTextArray, isTextArray } from './npy-text.ts';

/** An array of text by hand. */
function text(
  descr: string,
  items: readonly (readonly number[])[],
  shape = `(${items.length},)`,
): Uint8Array {
  const header = Buffer.from(`{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }\n`);
  const head = Buffer.concat([
    Buffer.from([0x93]),
    Buffer.from('NUMPY\x01\x00'),
    Buffer.of(header.length, 0),
  ]);
  return Buffer.concat([head, header, Buffer.from(items.flat())]);
}

it('reads text of one and of four bytes a character, both byte orders, padded with zeros', () => {
  const bytes = text('|S3', [
    [0x4e, 0, 0],
    [0x41, 0x46, 0x49],
  ]);
  expect(isTextArray(bytes, bytes.length, 'y')).toBe(true);
  expect(decodeTextArray(bytes, 'y')).toEqual(['N', 'AFI']);
  expect(decodeTextArray(text('<U2', [[0xe9, 0, 0, 0, 0, 0, 0, 0]], '(1, 1)'), 'y')).toEqual(['é']);
  expect(decodeTextArray(text('>U1', [[0, 1, 0xf6, 0]]), 'y')).toEqual(['😀']);
  expect(decodeTextArray(text('<U1', [[0xff, 0xff, 0xff, 0xff]]), 'y')).toEqual(['\ufffd']);
});

it('refuses what is no list of texts, or cut off', () => {
  const data = (run: () => unknown) => expect(run).toThrow(expect.objectContaining({ code: 'E_DATA' }));
  data(() => decodeTextArray(text('|S1', [[65], [66]], '(1, 2)'), 'y'));
  data(() => decodeTextArray(text('|S4', [[65]]), 'y'));
  data(() => decodeTextArray(text('|u1', [[65]]), 'y'));
  expect(isTextArray(text('|u1', [[65]]), 100, 'y')).toBe(false);
});
