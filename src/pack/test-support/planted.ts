// A small network that tells three classes apart by which input channel is brightest, samples for it, and a criterion
// that knows which units do it.
import { Net } from '../../channels/test-support/net.ts';
import type { Dataset } from '../../data/index.ts';
import type { Criterion } from '../../explain/index.ts';
import { canonicalModel, type Model } from '../../onnx/index.ts';
import { floatConstant, int } from '../../onnx/internal.ts';
import { Random } from '../../util/internal.ts';

const UNITS = 12;
const SIDE = 6;
/** Of each convolution, the units that pass the classes on; the others add noise. */
export const PASSING: readonly number[] = [4, 7, 11];

/** Where a bundle of it says that it comes from. */
export const PLANTED_PROVENANCE = {
  source: { file: 'planted.onnx', sha256: 'a'.repeat(64) },
  preprocessing: { kind: 'tensors', description: 'none' },
  dataset: 'planted',
  versions: { bedside: '0' },
  created: '2026-01-01T00:00:00.000Z',
} as const;

/** Two convolutions, and a last layer that reads the passing units. */
export function plantedNet(): Model {
  const net = new Net([3, SIDE, SIDE], 5);
  const conv = (name: string, x: string, from: number, channelOf: (k: number) => number): string => {
    const random = new Random(name.length + from);
    const weight = Float32Array.from(
      { length: UNITS * from * 9 },
      (_, i) => (PASSING.includes(Math.floor(i / from / 9)) ? 0.01 : 0.15) * random.normal(),
    );
    PASSING.forEach((unit, k) => {
      weight[(unit * from + channelOf(k)) * 9 + 4] = 1;
    });
    const constant = net.builder.constant(floatConstant(weight, [UNITS, from, 3, 3]), 'weights');
    return net.relu(net.conv(name, x, from, UNITS, { weight: constant, bias: false }));
  };
  const a = conv('a', net.input, 3, (k) => k);
  const b = conv('b', a, UNITS, (k) => PASSING[k] as number);
  const pooled = net.op('Flatten', [net.op('GlobalAveragePool', [b])], { axis: int(1) });
  const random = new Random(8);
  const weight = Float32Array.from(
    { length: 3 * UNITS },
    (_, i) => (PASSING[Math.floor(i / UNITS)] === i % UNITS ? 3 : 0) + 0.1 * random.normal(),
  );
  const constant = net.builder.constant(floatConstant(weight, [3, UNITS]), 'weights');
  return canonicalModel(net.finish(net.op('Gemm', [pooled, constant], { transB: int(1) }, 'head')));
}

/** Noise, a little brighter in the channel of the class; more of class 0 than of the others. */
export function plantedSamples(size: number, seed: number, labelled = true): Dataset {
  const random = new Random(seed);
  const labels = Int32Array.from({ length: size }, (_, i) => [0, 1, 0, 2][i % 4] as number);
  const plane = SIDE * SIDE;
  const samples = Float32Array.from(
    { length: size * 3 * plane },
    (_, i) =>
      0.5 * random.normal() + (Math.floor(i / plane) % 3 === labels[Math.floor(i / plane / 3)] ? 0.25 : 0),
  );
  return {
    kind: 'npz',
    name: `planted ${seed}`,
    size,
    sampleShape: [3, SIDE, SIDE],
    samples,
    labels: labelled ? labels : undefined,
    classNames: ['0', '1', '2'],
    origins: undefined,
    skipped: [],
    hash: '',
  };
}

/** Ranks the passing units first (or last). */
export function plantedCriterion(name: string, sign = 1): Criterion {
  const score = (unit: number): number => (PASSING.includes(unit) ? sign * 10 : 0) + unit / UNITS;
  return {
    name,
    family: 'xai',
    summary: name,
    source: 'this test',
    needsSamples: false,
    score: () =>
      Promise.resolve(
        ['a', 'b', 'head'].map((layer) => ({
          layer,
          scores: Float64Array.from({ length: layer === 'head' ? 3 : UNITS }, (_, unit) => score(unit)),
        })),
      ),
  };
}
