// A bundle for images, made in seconds: a network with weights by hand tells bright pictures from dark ones.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pack } from 'bedside';
import { npyArray, writeNpz } from 'bedside/data';
import { type Attribute, type Constant, type Model, type Node, writeModel } from 'bedside/onnx';

/** Pixels of a side. */
export const SIDE = 16;
const CHANNELS = 8;

/** Pixels of a picture, from 0 to 255: noise around a brightness. */
export function picture(brightness: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: SIDE * SIDE }, (_, i) => {
    const noise = ((i * 7919 + seed * 104_729) % 61) - 30;
    return Math.min(255, Math.max(0, Math.round(brightness + noise)));
  });
}

/** Mean of each channel after a convolution; bright is above the middle. */
function network(): Model {
  const floats = (dims: number[], at: (i: number) => number): Constant => ({
    ...{ type: 'float32', dims },
    data: Float32Array.from({ length: dims.reduce((product, dim) => product * dim, 1) }, (_, i) => at(i)),
  });
  const node = (
    op: string,
    inputs: string[],
    output: string,
    attributes: [string, Attribute][] = [],
  ): Node => ({
    ...{ name: output, op, domain: '', inputs, outputs: [output], attributes: new Map(attributes) },
  });
  const pads: Attribute = { type: 'ints', value: [1n, 1n, 1n, 1n] };
  return {
    ...{ irVersion: 8, opsets: new Map([['', 17]]) },
    graph: {
      name: 'brightness',
      inputs: [{ name: 'image', elemType: 1, dims: ['batch', 1, SIDE, SIDE] }],
      outputs: [{ name: 'scores', elemType: 1, dims: ['batch', 2] }],
      nodes: [
        node('Conv', ['image', 'kernels', 'offsets'], 'filtered', [['pads', pads]]),
        node('Relu', ['filtered'], 'positive'),
        node('GlobalAveragePool', ['positive'], 'means'),
        node('Flatten', ['means'], 'flat'),
        node('Gemm', ['flat', 'weights', 'bias'], 'scores'),
      ],
      constants: new Map([
        ['kernels', floats([CHANNELS, 1, 3, 3], (i) => (1 + (i % 3)) / 18)],
        ['offsets', floats([CHANNELS], () => 0)],
        ['weights', floats([CHANNELS, 2], (i) => (i % 2 === 0 ? -1 : 1))],
        ['bias', floats([2], (i) => (i === 0 ? CHANNELS / 2 : -CHANNELS / 2))],
      ]),
    },
  };
}

/** Packs the bundle into a folder that is removed afterwards, and works with it. */
export async function withImageBundle(
  work: (bundle: string, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'bedside-example-'));
  try {
    const [model, data, out] = [
      join(folder, 'brightness.onnx'),
      join(folder, 'pictures.npz'),
      join(folder, 'scan'),
    ];
    await writeFile(model, writeModel(network()));
    const labels = Array.from({ length: 80 }, (_, i) => i % 2);
    const pixels = labels.flatMap((label, i) =>
      Array.from(picture(label === 0 ? 60 : 190, i), (own) => own / 255),
    );
    const arrays = {
      x_local: npyArray([80, 1, SIDE, SIDE], Float32Array.from(pixels)),
      y_local: npyArray([80], BigInt64Array.from(labels, BigInt)),
    };
    await writeFile(data, writeNpz(arrays));
    await pack(model, {
      ...{ out, data, labels: ['dark', 'bright'], perClass: 10, validationPerClass: 20 },
      ...{ criterion: 'l1', ratios: [0, 0.25, 0.5], variants: 4, maxPositions: 256, lowRank: false },
      precisions: ['float32'],
    });
    await work(out, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
