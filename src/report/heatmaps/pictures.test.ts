// What is drawn and where: images pixel by pixel, traces by their geometry, channel scores by their bars.
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { hexOf, relevanceColour } from '../svg/colour-map.ts';
import type { Picture } from './frame.ts';
import { imagePicture, overlaid, summedOverChannels, visible } from './image-picture.ts';
import { beatGeometry, pictureKind } from './kinds.ts';
import { layersPicture } from './layers-picture.ts';
import { explained } from './test-support/explained.ts';
import { pooled, roundStep, runs, tracePicture } from './trace-picture.ts';

describe('images', () => {
  it('show the input, its relevance and both, pixel for pixel', async () => {
    const relevance = Float32Array.of(0, 2, -2, 1);
    const picture = await imagePicture(explained({ relevance }));
    expect(picture.scale).toBe(2);
    const [input, map, both] = await Promise.all(images(picture).map(pixels));
    expect(input).toEqual(['#000000', '#404040', '#808080', '#ffffff']);
    expect(map).toEqual(['#ffffff', ...[1, -1, 0.5].map((value) => hexOf(relevanceColour(value)))]);
    expect(both).toEqual(
      [
        overlaid([0, 0, 0], 0),
        overlaid([64, 64, 64], 1),
        overlaid([128, 128, 128], -1),
        overlaid([255, 255, 255], 0.5),
      ].map(hexOf),
    );
  });

  it('are of one size, in proportion, and not smoothed', async () => {
    const shape = [1, 10, 40];
    const picture = await imagePicture(
      explained({ shape, sample: new Float32Array(400), relevance: new Float32Array(400) }),
    );
    const tags = picture.body.text.match(/<image [^>]*/g) ?? [];
    expect(tags).toHaveLength(3);
    for (const tag of tags) {
      const [width, height] = ['width', 'height'].map((name) =>
        Number(new RegExp(` ${name}="([\\d.]+)"`).exec(tag)?.[1]),
      );
      expect((width ?? 0) / (height ?? 1)).toBeCloseTo(4, 1);
      expect(tag).toContain('image-rendering:pixelated');
    }
  });

  it('sum relevance over colours and show them', async () => {
    expect(summedOverChannels(Float32Array.of(1, 2, 10, 20, 100, 200), 3)).toEqual(Float64Array.of(111, 222));
    const picture = await imagePicture(
      explained({
        shape: [3, 1, 2],
        sample: Float32Array.of(1, 0, 0, 1, 0, 0.2),
        relevance: Float32Array.of(1, 1, 1, -1, -2, 1),
      }),
    );
    const [input, map] = await Promise.all(images(picture).map(pixels));
    expect(input).toEqual(['#ff0000', '#00ff33']);
    expect(map).toEqual(['#ffffff', hexOf(relevanceColour(1))]);
    expect(picture.notes).toEqual(['Relevance summed over 3 channels']);
  });

  it('stretch what does not lie in [0, 1], and say so', () => {
    const stretched = visible(Float32Array.of(-3, 1, 5), 1);
    expect(stretched.colours.map(([grey]) => grey)).toEqual([0, 128, 255]);
    expect(stretched.note).toMatch(/stretched/);
    expect(visible(Float32Array.of(0.5, 0.5), 1)).toEqual({
      colours: [
        [128, 128, 128],
        [128, 128, 128],
      ],
      note: undefined,
    });
    for (const odd of [Float32Array.of(7, 7), Float32Array.of(Number.NaN, 1)]) {
      expect(visible(odd, 1).colours.flat().every(Number.isInteger)).toBe(true);
    }
  });
});

describe('traces', () => {
  const length = 256;
  const beat = { rate: 360, peak: 100 };
  const sample = Float32Array.from({ length }, (_, i) => 4 * Math.exp(-(((i - 100) / 4) ** 2)));
  const relevance = Float32Array.from({ length }, (_, i) => (i >= 90 && i < 95 ? 1 : i === 200 ? -1 : 0));
  const one = explained({ shape: [1, length], sample, relevance, beat });
  const text = tracePicture(one).body.text;

  it('mark the R peak where the line peaks', () => {
    const mark = Number(/<text x="([\d.]+)"[^>]*>R peak</.exec(text)?.[1]);
    const points = (/<polyline points="([^"]*)" stroke="#1b2026"/.exec(text)?.[1] ?? '')
      .split(' ')
      .map((point) => point.split(',').map(Number) as [number, number]);
    expect(points).toHaveLength(length);
    const top = points.reduce((a, b) => (b[1] < a[1] ? b : a));
    expect(top[0]).toBe(mark);
    // Zero seconds stand below it, and 0.2 s are 72 samples.
    const tick = (words: string) =>
      Number(new RegExp(`<text x="([\\d.]+)" y="423">${words}</text>`).exec(text)?.[1]);
    expect(tick('0')).toBe(mark);
    expect(tick('0.2')).toBeCloseTo(points[172]?.[0] ?? 0, 1);
    expect(tick('−0.2')).toBeCloseTo(points[28]?.[0] ?? 0, 1);
    expect(text).toContain('seconds from the R peak');
    expect(text).toContain('standard deviations');
  });

  it('colour ground and line where relevance is, and only there', () => {
    const [red, blue] = [hexOf(relevanceColour(1)), hexOf(relevanceColour(-1))];
    const ground = [
      ...text.matchAll(/<rect x="([\d.]+)" y="24" width="([\d.]+)" [^>]*fill="(#\w+)"/g),
    ].filter((m) => m[3] === red || m[3] === blue);
    const column = 844 / length;
    expect(ground.map(([, x, width, fill]) => [Number(x), Number(width), fill])).toEqual([
      [expect.closeTo(80 + 90 * column, 0), expect.closeTo(5 * column, 0), red],
      [expect.closeTo(80 + 200 * column, 0), expect.closeTo(column, 0), blue],
    ]);
    const coloured = [...text.matchAll(/<polyline points="([^"]*)" stroke="(#\w+)"\/>/g)];
    expect(coloured.map(([, points = '', stroke]) => [points.split(' ').length, stroke])).toEqual([
      [7, red],
      [3, blue],
    ]);
  });

  it('know no seconds and no peak where the window is unknown', () => {
    const plain = tracePicture(explained({ shape: [1, length], sample, relevance })).body.text;
    expect(plain).not.toMatch(/R peak|seconds|standard deviations/);
    expect(plain).toContain('>sample</text>');
    expect(plain).toContain('input value');
  });

  it('draw every channel, and odd values as well as may be', () => {
    const three = explained({ shape: [3, 4], sample: new Float32Array(12), relevance: new Float32Array(12) });
    expect(tracePicture(three).body.text).toMatch(/channel 1[\s\S]*channel 2[\s\S]*channel 3/);
    for (const value of [0, 5, 1e30, 1e-30, Number.NaN, Number.POSITIVE_INFINITY]) {
      const odd = new Float32Array(8).fill(value);
      const drawn = tracePicture(explained({ shape: [1, 8], sample: odd, relevance: odd })).body.text;
      expect(drawn).not.toMatch(/NaN|Infinity|undefined/);
    }
  });

  it('stay of a readable size when they are long', () => {
    const long = 20_000;
    const noise = Float32Array.from({ length: long }, (_, i) => (Math.sin(i * 12.9898) * 43.7) % 1);
    const drawn = tracePicture(explained({ shape: [1, long], sample: noise, relevance: noise })).body.text;
    expect(drawn.match(/<rect/g)?.length).toBeLessThan(2000);
  });

  it('join equal neighbours, and keep the strongest of a bin', () => {
    expect(runs([1, 1, 0, 2, 2])).toEqual([
      { from: 0, to: 2, level: 1 },
      { from: 2, to: 3, level: 0 },
      { from: 3, to: 5, level: 2 },
    ]);
    expect(pooled(Float64Array.of(1, -3, 2, 0), 2)).toEqual(Float64Array.of(-3, 2));
    expect([0.9, 1, 1.1, 3, 7, 0.03, 200].map(roundStep)).toEqual([1, 1, 2, 5, 10, 0.05, 200]);
  });
});

describe('kinds of samples', () => {
  it.each([
    [[1, 256], 'trace'],
    [[12, 1000], 'trace'],
    [[1, 1, 256], 'trace'],
    [[1, 64, 64], 'image'],
    [[3, 224, 224], 'image'],
  ])('%j is drawn as %s', (shape, kind) => {
    expect(pictureKind(shape, 'm.onnx')).toBe(kind);
  });

  it.each([[[10]], [[2, 64, 64]], [[1, 8, 64, 64]], [[17, 100]], [[1, 1]], [[]]])(
    '%j is refused',
    (shape) => {
      expect(() => pictureKind(shape, 'm.onnx')).toThrowError(
        expect.objectContaining({ code: 'E_UNSUPPORTED', hint: expect.stringContaining('height, width') }),
      );
    },
  );

  it('know the R peak of beats alone', () => {
    expect(beatGeometry({ kind: 'wfdb', sampleShape: [1, 256] })).toEqual({ rate: 360, peak: 100 });
    expect(beatGeometry({ kind: 'synthetic', sampleShape: [1, 128] })).toEqual({ rate: 360, peak: 50 });
    expect(beatGeometry({ kind: 'npz', sampleShape: [1, 256] })).toBeUndefined();
  });
});

describe('channel scores', () => {
  const criterion = { name: 'taylor-signed', summary: 'a < b', source: 'somebody & others' };

  it('are sorted bars, those below zero in blue', () => {
    const text = layersPicture([{ layer: 'conv<1>', scores: Float64Array.of(1, -1, 4, 0) }], criterion, 30);
    const bars = [
      ...text.matchAll(/<rect x="([\d.]+)" y="([\d.]+)" width="[\d.]+" height="([\d.]+)" fill="(#\w+)"/g),
    ].map(([, x, y, height, fill]) => ({ x: Number(x), y: Number(y), height: Number(height), fill }));
    expect(bars.map(({ height }) => height)).toEqual(
      [84 * 0.8, 84 * 0.2, 0, 84 * 0.2].map((h) => expect.closeTo(h, 1)),
    );
    expect(bars[0]?.y).toBe(26);
    expect(bars[3]?.y).toBeCloseTo(26 + 84 * 0.8, 1);
    expect(new Set(bars.slice(0, 3).map(({ fill }) => fill)).size).toBe(1);
    expect(bars[3]?.fill).not.toBe(bars[0]?.fill);
    expect(text).toContain('conv&lt;1&gt;');
    expect(text).toContain('somebody &amp; others');
    expect(text).toContain('over 30 samples');
  });

  it('are outlines where there are many, and whole where there is nothing', () => {
    const many = Float64Array.from({ length: 500 }, (_, i) => i - 100);
    const text = layersPicture([{ layer: 'wide', scores: many }], criterion, 1);
    expect(text.match(/<path /g)).toHaveLength(2);
    for (const scores of [new Float64Array(3), new Float64Array(0), Float64Array.of(Number.NaN, 1)]) {
      expect(layersPicture([{ layer: 'x', scores }], criterion, 1)).not.toMatch(/NaN|Infinity|undefined/);
    }
    expect(layersPicture([], criterion, 1)).not.toMatch(/NaN|Infinity|undefined/);
  });
});

/** The pictures embedded. */
function images({ body }: Picture): Buffer[] {
  return [...body.text.matchAll(/href="data:image\/png;base64,([^"]*)"/g)].map(([, data = '']) =>
    Buffer.from(data, 'base64'),
  );
}

/** The colours of the pixels of a picture that was enlarged to 256 in its longer side, from a 2 wide one. */
async function pixels(png: Buffer): Promise<string[]> {
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  const step = info.width / 2;
  const found: string[] = [];
  for (let y = step / 2; y < info.height; y += step) {
    for (let x = step / 2; x < info.width; x += step) {
      const at = (y * info.width + x) * info.channels;
      found.push(hexOf([data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0]));
    }
  }
  return found;
}
