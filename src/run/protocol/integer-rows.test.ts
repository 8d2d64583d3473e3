import { describe, expect, it } from 'vitest';
import { tensor } from '../../engine/index.ts';
import { Random } from '../../util/internal.ts';
import { floatsOfRows, integerRows } from './integer-rows.ts';

const random = new Random(18);
const integers = (count: number, below: number) =>
  Float64Array.from({ length: count }, () => Math.floor(random.uniform() * below));

/** Bits of the numbers, which tell zeros of either sign apart. */
const bitsOf = (data: Float32Array) => new Uint32Array(data.slice().buffer);

function back(data: Float32Array, dims: readonly number[]) {
  const rows = integerRows(tensor(data, dims));
  if (rows) expect(bitsOf(floatsOfRows(rows))).toEqual(bitsOf(data));
  return rows && { bytes: rows.data.BYTES_PER_ELEMENT, rows: rows.scales.length };
}

describe('inputs that are made of integers', () => {
  it('travel as these: images of 8 bits, of any mean and deviation by channel', () => {
    const grey = Float32Array.from(integers(1024, 256), (pixel) => pixel / 255);
    expect(back(grey, [1, 1, 32, 32])).toEqual({ bytes: 1, rows: 1 });
    const means = [0.485, 0.456, 0.406];
    const deviations = [0.229, 0.224, 0.225];
    const colours = Float32Array.from(integers(2 * 3 * 400, 256), (pixel, at) => {
      const channel = Math.floor(at / 400) % 3;
      return (pixel / 255 - (means[channel] ?? 0)) / (deviations[channel] ?? 1);
    });
    expect(back(colours, [2, 3, 20, 20])).toEqual({ bytes: 1, rows: 6 });
  });

  it('travel as these: signals of 10 to 12 bits, of any gain, mean and deviation', () => {
    for (let round = 0; round < 20; round++) {
      const bits = 10 + (round % 3);
      const [gain, mean, deviation] = [
        10 ** (3 * random.uniform()),
        5 * random.uniform(),
        0.1 + random.uniform(),
      ];
      const signal = Float32Array.from(integers(700, 2 ** bits), (unit) => (unit / gain - mean) / deviation);
      expect(back(signal, [1, 1, 700])).toEqual({ bytes: 2, rows: 1 });
    }
  });

  it('travel as these: signals around a zero, which they meet exactly', () => {
    for (const gain of [200, 1000, 37.5, 2048]) {
      const signal = Float32Array.from(integers(2000, 4096), (unit, at) =>
        at === 7 ? 0 : (unit - 2048) / gain,
      );
      expect(back(signal, [1, 1, 2000])).toEqual({ bytes: 2, rows: 1 });
    }
  });

  it('travel as 8 bits where these do, whatever finer line others were on before', () => {
    for (const scale of [1 / 255, 0.01, 1, 0.5, 1 / 127.5]) {
      const data = Float32Array.from(integers(600, 256), (pixel) => pixel * scale);
      expect(back(data, [1, 1, 600])).toEqual({ bytes: 1, rows: 1 });
    }
  });

  it('may be the same number everywhere, or few that are far apart', () => {
    expect(back(new Float32Array(256).fill(0.3), [1, 256])).toEqual({ bytes: 1, rows: 1 });
    const two = Float32Array.from({ length: 256 }, (_, at) => (at % 2 ? -7.25 : 0.1));
    expect(back(two, [1, 256])).toMatchObject({ rows: 1 });
  });
});

describe('other inputs', () => {
  const pixels = Float32Array.from(integers(2048, 256), (pixel) => pixel / 255);

  it('are left as they are', () => {
    const noise = Float32Array.from({ length: 1024 }, () => random.uniform() - 0.5);
    expect(back(noise, [1, 1, 1024])).toBeUndefined();
    expect(back(noise.map(Math.exp), [4, 256])).toBeUndefined();
    // Too few numbers for a scale of their own.
    expect(back(pixels.subarray(0, 64), [1, 64])).toBeUndefined();
    expect(back(new Float32Array(0), [0, 1, 256])).toBeUndefined();
  });

  it('are left as they are for one number that is off by its last bit, minus zero or none', () => {
    const bits = (change: (bits: Uint32Array) => void) => {
      const data = pixels.slice();
      change(new Uint32Array(data.buffer));
      return data;
    };
    expect(back(pixels, [1, 1, 2048])).toBeDefined();
    const at = pixels.findIndex((pixel) => pixel > 0.5);
    // The fit has room for a line that meets the one number, but not all 256 others beside it.
    expect(
      back(
        bits((all) => all.fill((all[at] ?? 0) + 2, at, at + 1)),
        [1, 1, 2048],
      ),
    ).toBeUndefined();
    expect(
      back(
        bits((all) => all.fill(0x80000000, 3, 4)),
        [1, 1, 2048],
      ),
    ).toBeUndefined();
    for (const none of [Number.NaN, Number.POSITIVE_INFINITY, 3e38]) {
      expect(back(pixels.with(5, none), [1, 1, 2048])).toBeUndefined();
    }
  });
});
