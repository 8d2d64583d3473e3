// The costs of levels: the one place where a bundle's numbers become multiply-accumulates, bytes and seconds, all for
// one sample. Proportions are exact where all units of a group have the same number of channels.
import { sizeOf } from '../onnx/internal.ts';
import { BedsideError, must } from '../util/index.ts';
import { checkLevels } from './levels.ts';
import type { BundleLayer, BundleManifest, BundleStage, Share } from './manifest.ts';
import { secondsAtMacs } from './seconds-at-macs.ts';

/** The parts of a manifest that costs follow from. */
export type Costed = Pick<BundleManifest, 'name' | 'groups' | 'ratios' | 'layers' | 'stages'> & {
  readonly model: Pick<BundleManifest['model'], 'input'>;
};

/** The costs of one weighted layer. */
export interface LayerCosts {
  readonly macs: number;
  /** Bytes of weight and bias. */
  readonly weightBytes: number;
  /** Bytes of its input and its output. */
  readonly inputBytes: number;
  readonly outputBytes: number;
  /** Undefined where nothing was timed. */
  readonly seconds: number | undefined;
}

/** The costs of one stage. */
export interface StageCosts {
  readonly macs: number;
  /** Bytes of all constants: the weights of the layers at these levels, and all others that the stage needs. */
  readonly weightBytes: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
  /** The most bytes that a layer of the stage reads and gives together. */
  readonly activationBytes: number;
  /** Undefined where nothing was timed. */
  readonly seconds: number | undefined;
}

/** The costs of the whole network. */
export interface TotalCosts {
  readonly macs: number;
  readonly weightBytes: number;
  /** Bytes that pass from one stage to the next, over all stages, without the network's input and output. */
  readonly crossingBytes: number;
  readonly seconds: number | undefined;
}

/**
 * Costs of one weighted layer at a level vector.
 * @throws BedsideError E_LEVELS as `checkLevels`; E_INTERNAL for an unknown layer
 */
export function layerCosts(manifest: Costed, name: string, levels: readonly number[]): LayerCosts {
  checkLevels(manifest, levels);
  const layer = manifest.layers.find((other) => other.name === name);
  return costsOfLayer(manifest, must(layer, `no layer '${name}'`), levels);
}

/**
 * Costs of one stage at a level vector.
 * @throws BedsideError E_LEVELS as `checkLevels`; E_INTERNAL for an unknown stage
 */
export function stageCosts(manifest: Costed, stage: number, levels: readonly number[]): StageCosts {
  checkLevels(manifest, levels);
  return costsOfStage(manifest, must(manifest.stages[stage], `no stage ${stage}`), levels);
}

/**
 * Costs of the eight-bit form of a stage at a level vector; its multiply-accumulates as `stageCosts` counts them.
 * @param uniform those of the stage with every group at each level
 * @throws BedsideError E_LEVELS as `checkLevels`; E_BUNDLE for a bundle without such forms
 */
export function eightBitCosts(
  manifest: Costed & Pick<BundleManifest, 'eightBit'>,
  stage: number,
  levels: readonly number[],
  uniform: readonly number[] = uniformMacs(manifest, stage),
): StageCosts {
  const whole = stageCosts(manifest, stage, levels);
  const form = manifest.eightBit?.[stage];
  if (!form) {
    throw new BedsideError('E_BUNDLE', `bundle '${manifest.name}' has no eight-bit form of stage ${stage}`, {
      hint: 'pack the model again with `--precisions float32,int8`, or plan in float32',
    });
  }
  const costs = manifest.layers
    .filter((layer) => layer.stage === stage)
    .map((layer) => {
      const own = costsOfLayer(manifest, layer, levels);
      if (!form.layers.includes(layer.name)) return { ...own, saved: 0 };
      // The bias is 32 bits still, and each output channel has a scale of 32 bits, about as many as biases.
      const bias = layer.biasBytes * keptShare(manifest, layer.outputs, levels);
      const weightBytes = (own.weightBytes - bias) / 4 + 2 * bias;
      return {
        saved: own.weightBytes - weightBytes,
        inputBytes: own.inputBytes / 4,
        outputBytes: own.outputBytes / 4,
      };
    });
  return {
    ...whole,
    weightBytes: whole.weightBytes - sum(costs.map(({ saved }) => saved)),
    activationBytes: costs.reduce((most, layer) => Math.max(most, layer.inputBytes + layer.outputBytes), 0),
    seconds: form.seconds && secondsAtMacs(uniform, form.seconds, whole.macs),
  };
}

/** Multiply-accumulates of a stage with every group at each level. */
function uniformMacs(manifest: Costed, stage: number): number[] {
  const at = (level: number): number[] => manifest.groups.map(() => level);
  return manifest.ratios.map((_, level) => stageCosts(manifest, stage, at(level)).macs);
}

/**
 * Bytes of a stage's output as eight bits: one a value, and scale, zero point and their number.
 * @param float32 its bytes as float32, for one sample
 */
export function eightBitBytes(float32: number): number {
  return float32 / 4 + EIGHT_BIT_HEAD;
}

/** Bytes of the network's input on a link, for one sample: of the integers that it is made of, or as float32. */
export function inputBytesOf({ model: { input } }: Pick<Costed, 'model'>): number {
  return ((input.integers ?? 32) / 8) * sizeOf(input.shape);
}

/** A float32 scale and a zero point of one byte. */
const EIGHT_BIT_HEAD = 5;

/**
 * Costs of the whole network at a level vector.
 * @throws BedsideError E_LEVELS as `checkLevels`
 */
export function totalCosts(manifest: Costed, levels: readonly number[]): TotalCosts {
  checkLevels(manifest, levels);
  const stages = manifest.stages.map((stage) => costsOfStage(manifest, stage, levels));
  return {
    macs: sum(stages.map((stage) => stage.macs)),
    weightBytes: sum(stages.map((stage) => stage.weightBytes)),
    crossingBytes: sum(stages.slice(0, -1).map((stage) => stage.outputBytes)),
    seconds: sumKnown(stages.map((stage) => stage.seconds)),
  };
}

function costsOfStage(manifest: Costed, stage: BundleStage, levels: readonly number[]): StageCosts {
  const layers = manifest.layers.filter((layer) => layer.stage === stage.index);
  const costs = layers.map((layer) => costsOfLayer(manifest, layer, levels));
  const before = manifest.stages[stage.index - 1];
  const inputBytes = before
    ? before.outputBytes * keptShare(manifest, before.outputShares, levels)
    : 4 * sizeOf(manifest.model.input.shape);
  const outputBytes = stage.outputBytes * keptShare(manifest, stage.outputShares, levels);
  return {
    macs: sum(costs.map((layer) => layer.macs)) + otherMacsAt(manifest, stage, levels),
    weightBytes: sum(costs.map((layer) => layer.weightBytes)) + stage.otherBytes,
    inputBytes,
    outputBytes,
    activationBytes: costs.reduce((most, layer) => Math.max(most, layer.inputBytes + layer.outputBytes), 0),
    seconds: stageSeconds(manifest, stage, layers, levels),
  };
}

/** Products of computed values: those of heads go with their heads. */
function otherMacsAt(
  manifest: Costed,
  { otherMacs = 0, products = [] }: BundleStage,
  levels: readonly number[],
): number {
  const gone = products.map(({ macs, shares }) => macs * (1 - keptShare(manifest, shares, levels)));
  return otherMacs - sum(gone);
}

function costsOfLayer(manifest: Costed, layer: BundleLayer, levels: readonly number[]): LayerCosts {
  const input = keptShare(manifest, layer.inputs, levels);
  const output = keptShare(manifest, layer.outputs, levels);
  return {
    macs: layer.macs * input * output,
    weightBytes: layer.weightBytes * input * output + layer.biasBytes * output,
    inputBytes: layer.inputBytes * keptShare(manifest, layer.reads, levels),
    outputBytes: layer.outputBytes * output,
    seconds: layerSeconds(manifest, layer, levels),
  };
}

/** The fraction of a tensor's channels that stays. Channels outside all groups always stay. */
function keptShare(manifest: Costed, shares: readonly Share[], levels: readonly number[]): number {
  return shares.reduce((kept, { group, share }) => {
    const { channels, counts } = must(manifest.groups[group], `group ${group}`);
    const count = must(counts[levels[group] as number], `level of group ${group}`);
    return kept - share * (1 - count / channels);
  }, 1);
}

/** Interpolated in the layer's table, by the level of what it reads and the level of what it gives. */
function layerSeconds(manifest: Costed, layer: BundleLayer, levels: readonly number[]): number | undefined {
  const { seconds } = layer;
  if (!seconds) return undefined;
  const output = meanLevel(manifest, layer.outputs, levels);
  const rows = seconds.map((row) => interpolate(row, output));
  return interpolate(rows, meanLevel(manifest, layer.reads, levels));
}

/**
 * The level, possibly between two levels, at which the same fraction of a tensor's channels would stay if all its
 * groups had that level.
 */
function meanLevel(manifest: Costed, shares: readonly Share[], levels: readonly number[]): number {
  const own = shares.map(({ group }) => levels[group] as number);
  const first = own[0] ?? 0;
  if (own.every((level) => level === first)) return first;
  const kept = keptShare(manifest, shares, levels);
  const uniform = manifest.ratios.map((_, level) =>
    keptShare(
      manifest,
      shares,
      levels.map(() => level),
    ),
  );
  const above = uniform.findIndex((fraction) => fraction <= kept);
  if (above <= 0) return above < 0 ? uniform.length - 1 : 0;
  const [more, less] = [uniform[above - 1] as number, uniform[above] as number];
  return above - (kept - less) / (more - less);
}

/** The sum over the layers, corrected by the time of the whole stage with every group at one level. */
function stageSeconds(
  manifest: Costed,
  stage: BundleStage,
  layers: readonly BundleLayer[],
  levels: readonly number[],
): number | undefined {
  const groups = [
    ...new Set(layers.flatMap((layer) => [...layer.reads, ...layer.outputs].map((s) => s.group))),
  ];
  const mean = groups.length === 0 ? 0 : sum(groups.map((group) => levels[group] as number)) / groups.length;
  if (layers.length === 0) return stage.seconds && interpolate(stage.seconds, mean);
  const own = sumKnown(layers.map((layer) => layerSeconds(manifest, layer, levels)));
  if (own === undefined || !stage.seconds) return own;
  const factors = stage.seconds.map((measured, level) => {
    const uniform = manifest.groups.map(() => level);
    const parts = sumKnown(layers.map((layer) => layerSeconds(manifest, layer, uniform))) ?? 0;
    return parts > 0 ? measured / parts : 1;
  });
  return own * interpolate(factors, mean);
}

/** The value at a position that may lie between two entries; the last one beyond the end. */
function interpolate(values: readonly number[], at: number): number {
  const low = Math.min(Math.floor(at), values.length - 1);
  const high = Math.min(low + 1, values.length - 1);
  const [a, b] = [values[low] as number, values[high] as number];
  return a + (b - a) * (at - Math.floor(at));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The sum, or undefined when any part is undefined. */
function sumKnown(values: readonly (number | undefined)[]): number | undefined {
  let total = 0;
  for (const value of values) {
    if (value === undefined) return undefined;
    total += value;
  }
  return total;
}
