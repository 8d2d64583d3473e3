import { describe, expect, it } from 'vitest';
import { Net, run } from '../channels/test-support/net.ts';
import { weightedLayers } from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { drawPositions, Unfolding } from './rows.ts';
import { samplePositionsOf } from './sample-positions.ts';

describe('Unfolding', () => {
  it.each([
    ['2-D', [4, 7, 6], { kernel: 3, stride: 1 }],
    ['stride 2', [4, 7, 6], { kernel: 3, stride: 2 }],
    ['1-D, kernel 5', [4, 11], { kernel: 5 }],
    ['groups', [4, 6, 6], { kernel: 3, group: 2 }],
    ['depthwise', [4, 6, 6], { kernel: 3, group: 4 }],
    ['1 x 1, stride 2', [4, 6, 6], { kernel: 1, stride: 2 }],
    ['transposed, windows side by side', [4, 3, 4], { kernel: 2, stride: 2, transposed: true }],
    ['transposed, windows that overlap', [4, 3, 4], { kernel: 5, stride: 2, transposed: true }],
    ['transposed, 1-D with gaps', [4, 7], { kernel: 1, stride: 3, transposed: true }],
  ] as const)('times the weights is the convolution: %s', async (_name, sample, options) => {
    const net = new Net([...sample]);
    const out = net.conv('conv', net.input, 4, 4, options);
    net.builder.output(out, undefined);
    const model = net.builder.model(14, 8);
    const layer = must(weightedLayers(model)[0], 'no layer');
    const expected = await run(model, 1, 7);
    const random = new Random(7);
    const input = Float32Array.from({ length: sample.reduce((a, b) => a * b, 1) }, () => random.normal());

    const unfolding = new Unfolding(layer);
    const groups = must(layer.conv, 'no parameters').groups;
    const row = new Float64Array(unfolding.columns);
    for (let position = 0; position < unfolding.positions; position++) {
      for (let channel = 0; channel < 4; channel++) {
        unfolding.write(input, Math.floor(channel / (4 / groups)), position, row, 0);
        const taps = layer.kernelSize;
        const weights = Float64Array.from({ length: unfolding.columns }, (_, i) => {
          const at =
            layer.kind === 'conv'
              ? channel * unfolding.columns + i
              : (Math.floor(i / taps) * 4 + channel) * taps + (i % taps);
          return layer.weight[at] as number;
        });
        const value = row.reduce((sum, x, i) => sum + x * (weights[i] as number), layer.bias?.[channel] ?? 0);
        expect(value).toBeCloseTo(expected[channel * unfolding.positions + position] as number, 4);
      }
    }
  });
});

describe('samplePositions', () => {
  it('takes as many positions of every sample as fit, without repeats', () => {
    const places = drawPositions(5, 20, 37, new Random(1));
    expect(places.map((list) => list.length)).toEqual([7, 7, 7, 7, 7]);
    for (const list of places) {
      expect(new Set(list).size).toBe(7);
      expect([...list].every((place) => place >= 0 && place < 20)).toBe(true);
    }
    expect(drawPositions(3, 4, 100, new Random(1)).every((list) => list.length === 4)).toBe(true);
    expect(drawPositions(30, 4, 10, new Random(1)).every((list) => list.length === 1)).toBe(true);
  });

  it('takes fewer for each channel of a depthwise layer', () => {
    const net = new Net([4, 16, 16]);
    const wide = net.relu(net.conv('wide', net.input, 4, 32));
    const deep = net.relu(net.conv('deep', wide, 32, 32, { group: 32 }));
    const layers = weightedLayers(net.head(net.conv('last', deep, 32, 8), 8));
    const samples = { samples: new Float32Array(), size: 64, sampleShape: [4, 16, 16], fitSize: 48 };
    const rows = layers.map((layer) => samplePositionsOf(layer, samples, 8192, 1).rows);
    // The last layer has one place a sample.
    expect(rows).toEqual([8192, 1024, 8192, 64]);
    expect(samplePositionsOf(must(layers[1], 'deep'), samples, 512, 1).rows).toBe(512);
  });
});
