// Manifests of small networks, written by hand: what a planner reads of a bundle, and nothing it does not.
import type { BundleManifest } from '../../bundle/index.ts';
import type { BundleGroup, BundleLayer, BundleStage, Share, StageSplit } from '../../bundle/internal.ts';

/** A layer in short. Groups by id; a missing one means channels that no group owns. */
export interface LayerSketch {
  readonly reads?: number | readonly Share[] | undefined;
  readonly gives?: number | readonly Share[] | undefined;
  readonly inputs?: number;
  readonly outputs?: number;
  /** Places of the output, and of the kernel. */
  readonly size?: number;
  readonly kernel?: number;
}

/** A stage in short. */
export interface StageSketch {
  readonly layers: readonly LayerSketch[];
  readonly split?: StageSplit;
  readonly splitGroup?: number;
  /** Groups of the output, if not those of the last layer. */
  readonly output?: readonly Share[];
}

/** The rest in short. */
export interface ManifestOptions {
  readonly name?: string;
  readonly ratios?: readonly number[];
  /** Log loss of a group at the last level; it grows with the square of the ratio. */
  readonly loss?: number;
  readonly classes?: number;
  readonly unpruned?: number;
  /** Seconds a multiply-accumulate; none measured without it. */
  readonly secondsPerMac?: number;
}

/** A manifest of stages and of groups' channels. */
export function manifestOf(
  stages: readonly StageSketch[],
  channels: readonly number[],
  options: ManifestOptions = {},
): BundleManifest {
  const {
    name = 'sketch',
    ratios = [0, 0.25, 0.5, 0.75],
    loss = 0.05,
    classes = 5,
    unpruned = 0.9,
  } = options;
  const flat = stages.flatMap((stage, index) =>
    stage.layers.map((layer, at) => layerOf(layer, index, at, channels, ratios, options)),
  );
  const groups: BundleGroup[] = channels.map((count, id) => ({
    id,
    channels: count,
    layers: flat
      .filter((layer) => layer.outputs.some(({ group }) => group === id))
      .map((layer) => layer.name),
    counts: ratios.map((ratio) => Math.round(count * (1 - ratio))),
  }));
  const last = Math.max(...ratios, 1e-9);
  const lossOf = ratios.map((ratio) => loss * (ratio / last) ** 2);
  const macs = flat.reduce((sum, layer) => sum + layer.macs, 0);
  return {
    format: 'bedside-bundle',
    version: 1,
    name,
    model: {
      file: 'model.onnx',
      sha256: '0'.repeat(64),
      bytes: 1,
      source: { file: 'source.onnx', sha256: '0'.repeat(64) },
      input: { name: 'input', shape: [1, 64] },
      output: { name: 'logits', classes },
    },
    weights: { file: 'weights.safetensors', sha256: '0'.repeat(64), bytes: 1 },
    preprocessing: { kind: 'tensors', description: 'none' },
    ratios,
    groups,
    layers: flat,
    stages: stages.map((stage, index) => stageOf(stage, index, flat, stages.length, classes)),
    accuracy: {
      unpruned,
      measure: 'accuracy',
      loss: channels.map(() => lossOf),
      maxError: 0.01,
      meanError: 0.005,
      fitted: 20,
      checked: 10,
    },
    variants: ratios.map((_, level) => ({
      levels: channels.map(() => level),
      corrected: false,
      accuracy: unpruned * Math.exp(-(lossOf[level] ?? 0) * channels.length * 0.8),
      lowerBound: 0,
      agreement: 1,
      recall: [],
      macs,
      weightBytes: 1,
      crossingBytes: 1,
    })),
    provenance: {
      criterion: 'l1',
      dataset: 'none',
      calibration: 1,
      validation: 1,
      labelled: true,
      seed: 1,
      created: '2026-01-01T00:00:00Z',
      versions: {},
    },
  };
}

/** A chain of convolutions, one group between each two, and a linear layer. */
export function chainManifest(stages: number, options: ManifestOptions = {}): BundleManifest {
  const channels = Array.from({ length: stages - 1 }, (_, l) => 16 * 2 ** Math.min(l, 2));
  const sketches: StageSketch[] = Array.from({ length: stages }, (_, l) => ({
    layers: [
      {
        reads: l === 0 ? undefined : l - 1,
        gives: l === stages - 1 ? undefined : l,
        inputs: channels[l - 1] ?? 1,
        outputs: channels[l] ?? options.classes ?? 5,
        size: Math.max(1, Math.round(256 / 2 ** l)),
        kernel: l === stages - 1 ? 1 : 9,
      },
    ],
    split: l === stages - 1 ? 'none' : 'outputs',
  }));
  return manifestOf(sketches, channels, options);
}

/**
 * A stem, two residual blocks on one trunk (group 0) with inner groups 1 and 2, and a linear layer: the blocks are
 * split by partial sums.
 */
export function residualManifest(options: ManifestOptions = {}): BundleManifest {
  const block = (inner: number): StageSketch => ({
    layers: [
      { reads: 0, gives: inner, inputs: 16, outputs: 32, size: 128, kernel: 9 },
      { reads: inner, gives: 0, inputs: 32, outputs: 16, size: 128, kernel: 9 },
    ],
    split: 'partial-sums',
    splitGroup: inner,
  });
  return manifestOf(
    [
      { layers: [{ gives: 0, inputs: 1, outputs: 16, size: 128, kernel: 9 }], split: 'outputs' },
      block(1),
      block(2),
      { layers: [{ reads: 0, inputs: 16, outputs: options.classes ?? 5 }], split: 'none' },
    ],
    [16, 32, 32],
    options,
  );
}

function layerOf(
  layer: LayerSketch,
  stage: number,
  at: number,
  channels: readonly number[],
  ratios: readonly number[],
  options: ManifestOptions,
): BundleLayer {
  const { inputs = 1, outputs = 1, size = 1, kernel = 1 } = layer;
  const macs = inputs * outputs * size * kernel;
  const [reads, gives] = [sharesOf(layer.reads), sharesOf(layer.gives)];
  const kept = (shares: readonly Share[], level: number): number =>
    shares.reduce((sum, { group, share }) => {
      const count = channels[group] ?? 1;
      return sum - share * (1 - Math.round(count * (1 - (ratios[level] ?? 0))) / count);
    }, 1);
  const { secondsPerMac } = options;
  return {
    name: `layer${stage}${String.fromCharCode(97 + at)}`,
    stage,
    inputs: reads,
    outputs: gives,
    reads,
    macs,
    weightBytes: 4 * inputs * outputs * kernel,
    biasBytes: 4 * outputs,
    inputBytes: 4 * inputs * size,
    outputBytes: 4 * outputs * size,
    tables: false,
    seconds:
      secondsPerMac === undefined
        ? undefined
        : ratios.map((_, i) =>
            ratios.map((_, o) => secondsPerMac * macs * (0.1 + 0.9 * kept(reads, i) * kept(gives, o))),
          ),
  };
}

function stageOf(
  stage: StageSketch,
  index: number,
  layers: readonly BundleLayer[],
  count: number,
  classes: number,
): BundleStage {
  const own = layers.filter((layer) => layer.stage === index);
  const last = own.at(-1);
  const { splitGroup } = stage;
  return {
    index,
    nodes: own.map(({ name }) => name),
    layers: own.map(({ name }) => name),
    input: index === 0 ? 'input' : `cut${index}`,
    output: index === count - 1 ? 'logits' : `cut${index + 1}`,
    outputBytes: index === count - 1 ? 4 * classes : (last?.outputBytes ?? 0),
    outputShares: stage.output ?? last?.outputs ?? [],
    otherBytes: 0,
    split: stage.split ?? 'none',
    ...(splitGroup === undefined ? {} : { splitGroup }),
  };
}

function sharesOf(given: number | readonly Share[] | undefined): readonly Share[] {
  if (given === undefined) return [];
  return typeof given === 'number' ? [{ group: given, share: 1 }] : given;
}
