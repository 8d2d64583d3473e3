// Images by a contract, against the definition written out for each value.
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { Random } from '../../util/internal.ts';
import type { ImageContract } from '../contract/contract.ts';
import { imageRemarks, imageRowWriter } from '../npz/images.ts';
import type { Pixels } from './pixel-data.ts';
import { writeSample } from './pixels.ts';
import { imageTarget, writeImage } from './steps.ts';

function picture(height: number, width: number, channels: 1 | 3, seed = 1, most = 255): Pixels {
  const random = new Random(seed);
  const values = Array.from({ length: height * width * channels }, () =>
    Math.floor(random.uniform() * (most + 1)),
  );
  const data = most > 255 ? Uint16Array.from(values) : Uint8Array.from(values);
  return { data, height, width, channels };
}

async function read(pixels: Pixels, shape: readonly number[], contract: ImageContract): Promise<number[]> {
  const samples = new Float32Array(shape.reduce((product, axis) => product * axis, 1));
  await writeImage(pixels, imageTarget(shape, contract), samples, 0);
  return [...samples];
}

/** The definition, for a picture of the network's size. */
function expected(
  { data, height, width, channels }: Pixels,
  layout: 'NCHW' | 'NHWC',
  value: (stored: number, channel: number) => number,
  order: readonly number[] = [0, 1, 2],
): number[] {
  const result = new Float32Array(data.length);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < channels; c++) {
        const to = layout === 'NCHW' ? (c * height + y) * width + x : (y * width + x) * channels + c;
        const from = channels === 1 ? 0 : (order[c] ?? 0);
        result[to] = value(data[(y * width + x) * channels + from] ?? 0, c);
      }
  return [...result];
}

const rgb = picture(4, 5, 3);

describe('values', () => {
  it('are divided by white without a contract, as ever', async () => {
    const samples = new Float32Array(60);
    await writeSample(rgb, { channels: 3, height: 4, width: 5 }, samples, 0);
    expect(await read(rgb, [3, 4, 5], {})).toEqual([...samples]);
    expect(await read(rgb, [4, 5, 3], {})).toEqual(expected(rgb, 'NHWC', (value) => value / 255));
  });

  it('are scaled, moved and divided for each channel', async () => {
    const [mean, deviation] = [
      [0.485, 0.456, 0.406],
      [0.229, 0.224, 0.225],
    ];
    const value = (stored: number, c: number) => (stored / 255 - (mean[c] ?? 0)) / (deviation[c] ?? 1);
    expect(await read(rgb, [3, 4, 5], { mean, deviation })).toEqual(expected(rgb, 'NCHW', value));
    const minusOne = { scale: 1 / 127.5, mean: 1 };
    expect(await read(rgb, [4, 5, 3], minusOne)).toEqual(expected(rgb, 'NHWC', (v) => v * (1 / 127.5) - 1));
  });

  it('are blue first where the network reads them so; means are in its order', async () => {
    const mean = [103.939, 116.779, 123.68];
    const contract = { colour: 'BGR', scale: 1, mean } as const;
    const value = (stored: number, c: number) => stored - (mean[c] ?? 0);
    expect(await read(rgb, [3, 4, 5], contract)).toEqual(expected(rgb, 'NCHW', value, [2, 1, 0]));
    expect(await read(rgb, [4, 5, 3], contract)).toEqual(expected(rgb, 'NHWC', value, [2, 1, 0]));
  });

  it('of 12 bits are divided by 4095, and of a window run from 0 to 1', async () => {
    const wide = picture(4, 5, 1, 3, 4095);
    expect(await read(wide, [1, 4, 5], { bits: 12 })).toEqual(expected(wide, 'NCHW', (v) => v / 4095));
    const share = (v: number) => Math.min(Math.max((v - 900) / 400, 0), 1);
    const limits = { window: { low: 900, high: 1300 }, mean: 0.5 };
    expect(await read(wide, [1, 4, 5], limits)).toEqual(expected(wide, 'NCHW', (v) => share(v) - 0.5));
    const centred = { window: { centre: 1100, width: 400 } };
    expect(await read(wide, [1, 4, 5], centred)).toEqual(expected(wide, 'NCHW', share));
  });
});

describe('sizes', () => {
  it('cover and crop the centre, as torchvision resizes the shorter side and crops', async () => {
    const large = picture(20, 31, 1);
    const contract = { resize: { mode: 'cover', size: 10 } } as const;
    const raw = { width: 31, height: 20, channels: 1 } as const;
    const half = await sharp(large.data, { raw })
      .resize(15, 10, { fit: 'fill', kernel: 'linear' })
      .toColourspace('b-w');
    const small = new Uint8Array(await half.raw().toBuffer());
    // 15 wide to 8: 3.5 is rounded to 4, the even neighbour; 10 high to 8: 1.
    const wanted = Array.from(
      { length: 64 },
      (_, i) => (small[(1 + Math.floor(i / 8)) * 15 + 4 + (i % 8)] ?? 0) / 255,
    );
    expect(await read(large, [1, 8, 8], contract)).toEqual([...Float32Array.from(wanted)]);
  });

  it('contain with a margin of the fill, and neither resize nor move where told so', async () => {
    const flat: Pixels = { data: new Uint8Array(8).fill(100), height: 2, width: 4, channels: 1 };
    const contract = { scale: 1, resize: { mode: 'contain', fill: 7 } } as const;
    const row = (value: number) => new Array(8).fill(value);
    const [none, some] = [row(7), row(100)];
    expect(await read(flat, [1, 8, 8], contract)).toEqual(
      [none, none, some, some, some, some, none, none].flat(),
    );
    const beyond = { scale: 1, resize: { mode: 'contain', fill: 300 } } as const;
    await expect(read(flat, [1, 8, 8], beyond)).rejects.toMatchObject({ code: 'E_CONTRACT' });
    const image = picture(4, 4, 1);
    const corner = { scale: 1, resize: { mode: 'none' }, crop: { mode: 'top-left' } } as const;
    expect(await read(image, [1, 2, 2], corner)).toEqual([0, 1, 4, 5].map((i) => image.data[i]));
  });

  it('keep 16 bits when they are resized', async () => {
    const flat: Pixels = { data: new Uint16Array(48).fill(30001), height: 4, width: 4, channels: 3 };
    const found = await read(flat, [2, 2, 3], { scale: 1, resize: { mode: 'stretch' } });
    expect(found).toEqual(new Array(12).fill(30001));
  });
});

describe('inputs', () => {
  it('read channels last where their shape says so, and say that', () => {
    expect(imageTarget([8, 8, 3])).toMatchObject({ layout: 'NHWC', channels: 3, height: 8, width: 8 });
    expect(imageTarget([8, 8, 3]).remarks).toEqual([expect.stringMatching(/^the network reads \[8, 8, 3\]/)]);
    expect(imageTarget([8, 8, 3], { layout: 'NHWC' }).remarks).toEqual([]);
    expect(imageTarget([3, 8, 3])).toMatchObject({ layout: 'NCHW', height: 8, width: 3 });
    expect(imageTarget([3, 8, 3], { layout: 'NHWC' })).toMatchObject({ layout: 'NHWC', height: 3, width: 8 });
  });

  it.each([
    [[2, 8, 8], {}, 'E_DATA_FIT', /\[2, 8, 8\]/],
    [[1, 8, 8], { mean: [1, 2, 3] }, 'E_CONTRACT', /image.mean has 3 numbers, and the network reads 1/],
    [[1, 8, 8], { crop: { mode: 'centre', size: 9 } }, 'E_CONTRACT', /image.crop.size is \[9, 9\]/],
  ] as const)('%j with %j are refused', (shape, contract, code, message) => {
    const thrown = (() => {
      try {
        return imageTarget(shape, contract);
      } catch (error) {
        return error;
      }
    })();
    expect(thrown).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

describe('rows of archives', () => {
  const head = (dtype: 'uint8' | 'uint16' | 'float32' | 'int16', shape: readonly number[]) =>
    ({ dtype, shape: [2, ...shape], bigEndian: false, fortranOrder: false, itemBytes: 1, start: 0 }) as const;

  async function row(
    numbers: Uint8Array | Uint16Array | Int16Array | Float32Array,
    shapes: { readonly of: readonly number[]; readonly to: readonly number[] },
    dtype: 'uint8' | 'uint16' | 'float32' | 'int16',
    contract: ImageContract = {},
  ): Promise<number[] | undefined> {
    const write = imageRowWriter(head(dtype, shapes.of), shapes.to, { contract, white: 65535 }, 'x');
    const samples = new Float32Array(shapes.to.reduce((product, axis) => product * axis, 1));
    if (!write) return undefined;
    await write(numbers, 0, samples, 0);
    return [...samples];
  }

  it('leave what needs no step to the plain reader', async () => {
    expect(await row(new Uint8Array(60), { of: [3, 4, 5], to: [3, 4, 5] }, 'uint8')).toBeUndefined();
    expect(await row(new Float32Array(60), { of: [4, 5, 3], to: [4, 5, 3] }, 'float32')).toBeUndefined();
    expect(await row(new Uint8Array(9), { of: [9], to: [9] }, 'uint8', { mean: 1 })).toBeUndefined();
  });

  it('move channels to where the network has them, bytes and fractions', async () => {
    const planar = Uint8Array.from({ length: 12 }, (_, i) => i);
    const moved = [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11];
    const bytes = moved.map((value) => Math.fround(value / 255));
    expect(await row(planar, { of: [3, 2, 2], to: [2, 2, 3] }, 'uint8')).toEqual(bytes);
    expect(await row(Float32Array.from(planar), { of: [3, 2, 2], to: [2, 2, 3] }, 'float32')).toEqual(moved);
    const back = Float32Array.from(moved);
    expect(await row(back, { of: [2, 2, 3], to: [3, 2, 2] }, 'float32')).toEqual([...planar]);
  });

  it('go through the steps of the contract, signed numbers too', async () => {
    const hounsfield = Int16Array.from([-1024, -160, 40, 3000]);
    const contract = { window: { centre: 40, width: 400 } };
    expect(await row(hounsfield, { of: [2, 2], to: [1, 2, 2] }, 'int16', contract)).toEqual([0, 0, 0.5, 1]);
    expect(await row(hounsfield, { of: [2, 2], to: [2, 2, 1] }, 'int16', { mean: 1000 })).toEqual([
      -2024, -1160, -960, 2000,
    ]);
    const wide = Uint16Array.from([0, 1000, 2000, 65535]);
    const scaled = await row(wide, { of: [2, 2], to: [1, 2, 2] }, 'uint16', { scale: 0.001 });
    expect(scaled).toEqual([...Float32Array.from([0, 1, 2, 65.535])]);
  });

  it('say what was guessed and what was not done', () => {
    const notes = imageRemarks(head('float32', [3, 2, 2]), [2, 2, 3], { mean: 1 }, 'x');
    expect(notes).toEqual([
      expect.stringMatching(/^the network reads/),
      expect.stringMatching(/taken as prepared/),
    ]);
  });
});
