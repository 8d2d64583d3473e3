// The checks of one network: every cell of its row, measured against the engine wherever it can be.
import { loadNetwork, type Network } from '../../src/app/index.ts';
import {
  findGroups,
  type Grouping,
  type KeptUnits,
  maskModel,
  sliceModel,
} from '../../src/channels/index.ts';
import type { Dataset } from '../../src/data/index.ts';
import { createSession, tensor } from '../../src/engine/index.ts';
import { type CriterionContext, composite, epsilonRule } from '../../src/explain/index.ts';
import { Attributor } from '../../src/explain/internal.ts';
import { findStages, inferShapes, type Model, modelCosts } from '../../src/onnx/index.ts';
import { cloneModel, extractSubgraph, sizeOf } from '../../src/onnx/internal.ts';
import { repair } from '../../src/repair/index.ts';
import { median, must } from '../../src/util/index.ts';
import { Random, rowRange } from '../../src/util/internal.ts';
import { engineShapes, products } from './engine-facts.ts';

const BATCH = 2;
const SAMPLES = 4;
/** The largest difference, as a share of the largest value, at which two results count as equal. */
const SAME = 1e-4;
/** Relevance loses what the stabilisers of its divisions take. */
const CONSERVED = 0.02;
/** Central differences in float32 are no better. */
const DERIVED = 0.03;
/** Small steps drown in rounding, large ones cross kinks. */
const STEPS = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7];

/** The result of one check: what the table shows, and whether it is right, refused by a coded error, or wrong. */
export interface Cell {
  readonly text: string;
  readonly verdict: 'right' | 'refused' | 'wrong';
}

const right = (text: string): Cell => ({ text, verdict: 'right' });
const judged = (value: number, limit: number): Cell => ({
  text: value.toExponential(0),
  verdict: value <= limit ? 'right' : 'wrong',
});

/** A network under test with the values that several checks need. */
export interface Subject {
  readonly path: string;
  readonly network: Network;
  readonly model: Model;
  readonly grouping: Grouping;
  readonly samples: Float32Array;
  readonly sampleShape: readonly number[];
}

/** Loads a network and draws samples of noise for it. */
export async function openSubject(path: string): Promise<Subject> {
  const network = await loadNetwork(path);
  const { sampleShape } = network.classifier;
  const random = new Random(5);
  const samples = Float32Array.from({ length: SAMPLES * sizeOf(sampleShape) }, () => random.normal());
  const model = network.canonical;
  return { path, network, model, grouping: findGroups(model), samples, sampleShape };
}

/** Every check, by the title of its column. */
export const CHECKS: Readonly<Record<string, (subject: Subject) => Cell | Promise<Cell>>> = {
  shapes: shapesRight,
  MACs: macsRight,
  prunable: ({ grouping }) => right(`${Math.round(100 * prunableShare(grouping))} %`),
  'cut = masked': cutIsMasked,
  relevance: conserves,
  gradient: gradientRight,
  repair: repairs,
  stages: splitIsWhole,
};

async function shapesRight({ network }: Subject): Promise<Cell> {
  const batch = network.classifier.fixedBatch ?? BATCH;
  const real = await engineShapes(network.original, batch);
  const inferred = inferShapes(network.original, batch);
  const wrong = [...real].filter(([value, dims]) => inferred.get(value)?.join() !== dims.join());
  return {
    text: wrong.length === 0 ? `${real.size}` : `${wrong.length} wrong`,
    verdict: wrong.length === 0 ? 'right' : 'wrong',
  };
}

async function macsRight({ network }: Subject): Promise<Cell> {
  const batch = network.classifier.fixedBatch ?? BATCH;
  const { macs, uncounted } = modelCosts(network.original);
  const real = await engineShapes(network.original, batch);
  const twin = network.original.graph.nodes.reduce((sum, node) => sum + products(node, real), 0) / batch;
  if (uncounted.length > 0) return { text: `${uncounted.length} uncounted`, verdict: 'refused' };
  return { text: `${macs}`, verdict: macs === twin ? 'right' : 'wrong' };
}

/** Share of the channels that layers produce that can be removed; of a recurrent layer its hidden units. */
function prunableShare({ groups, frozen }: Grouping): number {
  const free = groups
    .flatMap(({ members }) => members.flatMap(({ units }) => units.map(({ length }) => length)))
    .reduce((sum, length) => sum + length, 0);
  const kept = frozen.reduce((sum, { channels }) => sum + channels, 0);
  return free + kept === 0 ? 0 : free / (free + kept);
}

function halfKept({ groups }: Grouping, random: Random): KeptUnits {
  return new Map(
    groups.map(({ id, channels }) => {
      const units = Array.from({ length: channels }, (_, i) => i).filter(() => random.uniform() < 0.5);
      return [id, units.length > 0 ? units : [0]];
    }),
  );
}

export async function runModel(
  { samples, sampleShape, network }: Subject,
  model: Model,
): Promise<Float32Array> {
  const batch = network.classifier.fixedBatch ?? SAMPLES;
  const session = await createSession(model, { name: 'zoo' });
  const feed = tensor(samples.slice(0, batch * sizeOf(sampleShape)), [batch, ...sampleShape]);
  const output = must(model.graph.outputs[0], 'an output').name;
  const result = must(
    (await session.run({ [network.classifier.input]: feed }, [output]))[output],
    'a result',
  );
  const values = Float32Array.from(result.data as Float32Array);
  await session.release();
  return values;
}

/** The largest difference of two results, as a share of the largest value. */
function apart(a: Float32Array, b: Float32Array): number {
  const most = a.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-30);
  return a.length === b.length
    ? a.reduce((far, value, i) => Math.max(far, Math.abs(value - (b[i] as number))), 0) / most
    : Number.POSITIVE_INFINITY;
}

async function cutIsMasked(subject: Subject): Promise<Cell> {
  const { model, grouping } = subject;
  if (grouping.groups.length === 0) return { text: 'nothing to cut', verdict: 'refused' };
  const keep = halfKept(grouping, new Random(7));
  const cut = await runModel(subject, sliceModel(model, grouping, keep));
  const masked = await runModel(subject, maskModel(model, grouping, keep));
  return judged(apart(masked, cut), SAME);
}

export function contextOf({ network, sampleShape, samples }: Subject, model: Model): CriterionContext {
  const count = network.classifier.fixedBatch ?? SAMPLES;
  return {
    model,
    modelName: network.name,
    calibration: {
      samples: samples.slice(0, count * sizeOf(sampleShape)),
      count,
      sampleShape,
      labels: undefined,
    },
    random: new Random(3),
    target: 'predicted',
    batch: count,
    threads: 1,
  };
}

/**
 * The model without what takes relevance and hands none on, which would be missing from the sum: constants that are added
 * or joined, and softmax inside the network, whose hidden bias keeps a part (its rule is held against a twin by tests).
 */
export function withoutBiases(model: Model): Model {
  const result = cloneModel(model);
  const { graph } = result;
  const zeroed = (name: string | undefined): void => {
    const constant = name ? graph.constants.get(name) : undefined;
    if (!name || constant?.type !== 'float32') return;
    graph.constants.set(name, { ...constant, data: new Float32Array(constant.data.length) });
  };
  for (const node of graph.nodes) {
    if (
      [
        'Conv',
        'ConvTranspose',
        'Gemm',
        'BatchNormalization',
        'LayerNormalization',
        'InstanceNormalization',
        'GroupNormalization',
      ].includes(node.op)
    )
      zeroed(node.inputs[2]);
    if (node.op === 'BatchNormalization') zeroed(node.inputs[3]);
    if (['LSTM', 'GRU', 'RNN'].includes(node.op)) zeroed(node.inputs[3]);
    if (['Add', 'Sub', 'Concat', 'Expand'].includes(node.op)) for (const name of node.inputs) zeroed(name);
    if (node.op === 'Softmax' && graph.outputs.every(({ name }) => name !== node.outputs[0])) {
      node.op = 'Identity';
      node.attributes = new Map();
    }
  }
  return result;
}

/** Whether `withoutBiases` left a softmax out. */
function hasInnerSoftmax({ graph }: Model): boolean {
  const final = new Set(graph.outputs.map(({ name }) => name));
  return graph.nodes.some(({ op, outputs }) => op === 'Softmax' && !outputs.some((name) => final.has(name)));
}

/** Whether the outputs do not depend on the samples, as behind the mean of what was normalised to a mean of zero. */
async function isConstant(subject: Subject): Promise<boolean> {
  const values = await runModel(subject, subject.model);
  const width = values.length / (subject.network.classifier.fixedBatch ?? SAMPLES);
  const most = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-30);
  return values.every((value, i) => Math.abs(value - (values[i % width] as number)) < 1e-5 * most);
}

async function conserves(subject: Subject): Promise<Cell> {
  if (await isConstant(subject)) return right('constant output');
  const context = contextOf(subject, withoutBiases(subject.model));
  const ruleOf = composite([{ match: 'any', rule: epsilonRule() }]);
  const spec = { attribution: { kind: 'relevance', ruleOf }, readout: 'sum' } as const;
  const attributor = await Attributor.create(context, spec, { wantInput: true });
  try {
    const { count } = context.calibration;
    const rows = must((await attributor.run(0, count)).input, 'relevance of the input');
    // The pass starts with 1 at the explained score.
    const worst = Array.from({ length: count }, (_, i) => {
      const row = rowRange(rows, count, i);
      const size = row.reduce((total, value) => total + Math.abs(value), 0);
      return Math.abs(row.reduce((total, value) => total + value, -1)) / Math.max(1, size);
    });
    const far = Math.max(...worst);
    const cell = judged(far, CONSERVED);
    return hasInnerSoftmax(subject.model) ? { ...cell, text: `${cell.text}, without softmax` } : cell;
  } finally {
    await attributor.release();
  }
}

/** The gradient of the input along a random direction, beside a central difference. */
async function gradientRight(subject: Subject): Promise<Cell> {
  if (await isConstant(subject)) return right('constant output');
  const context = contextOf(subject, subject.model);
  const { samples, count } = context.calibration;
  const spec = { attribution: { kind: 'gradient' }, readout: 'sum' } as const;
  const attributor = await Attributor.create(context, spec, { wantInput: true });
  try {
    const { input, logits, targets } = await attributor.run(0, count);
    const random = new Random(11);
    const slope = must(input, 'a gradient');
    // Half along the gradient, where a difference is largest beside rounding.
    const direction = new Float32Array(samples.length);
    for (let i = 0; i < count; i++) {
      const row = rowRange(slope, count, i);
      const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / row.length) || 1;
      rowRange(direction, count, i).set(row.map((value) => value / length + random.normal()));
    }
    const at = async (step: number): Promise<Float32Array> =>
      await runModel(
        { ...subject, samples: samples.map((value, i) => value + step * (direction[i] as number)) },
        subject.model,
      );
    const width = logits.length / count;
    const quotients: number[][] = [];
    for (const step of STEPS) {
      const [up, down] = [await at(step), await at(-step)];
      quotients.push(
        Array.from(targets, (target, i) => {
          const place = i * width + Math.max(0, target);
          return ((up[place] as number) - (down[place] as number)) / (2 * step);
        }),
      );
    }
    const derivatives = Array.from({ length: count }, (_, i) => {
      const along = rowRange(direction, count, i);
      return rowRange(slope, count, i).reduce((sum, value, j) => sum + value * (along[j] as number), 0);
    });
    return comparedSlopes(derivatives, quotients);
  } finally {
    await attributor.release();
  }
}

/**
 * Derivatives beside the difference quotients of each step. Networks of many kinks have quotients that differ from step
 * to step; their spread says how much they can tell.
 */
function comparedSlopes(derivatives: readonly number[], quotients: readonly (readonly number[])[]): Cell {
  const rows = derivatives.map((derivative, i) => {
    const scale = Math.max(Math.abs(derivative), 1e-12);
    const own = quotients.map((row) => row[i] as number);
    const far = Math.min(...own.map((quotient) => Math.abs(quotient - derivative))) / scale;
    const spread =
      Math.min(...own.slice(1).map((quotient, k) => Math.abs(quotient - (own[k] as number)))) / scale;
    return { far, spread };
  });
  const [far, spread] = [median(rows.map((row) => row.far)), median(rows.map((row) => row.spread))];
  if (far <= DERIVED || far > 2 * spread || spread > 0.5) return judged(far, DERIVED);
  return right(`${far.toExponential(0)} of ${spread.toExponential(0)}`);
}

async function repairs(subject: Subject): Promise<Cell> {
  const { network, model, grouping, samples, sampleShape } = subject;
  if (grouping.groups.length === 0) return { text: 'nothing to cut', verdict: 'refused' };
  if (await isConstant(subject)) return right('constant output');
  const keep = halfKept(grouping, new Random(7));
  const cut = sliceModel(model, grouping, keep);
  const calibration: Dataset = {
    kind: 'synthetic',
    name: 'noise',
    size: SAMPLES,
    sampleShape,
    samples,
    labels: undefined,
    classNames: [],
    origins: undefined,
    skipped: [],
    hash: '',
  };
  const repaired = await repair(model, cut, grouping, keep, { name: network.name, calibration, copies: 1 });
  const whole = await runModel(subject, model);
  const before = distance(await runModel(subject, cut), whole);
  const after = distance(await runModel(subject, repaired.model), whole);
  const refit = repaired.layers.filter((layer) => layer.refit).length;
  const verdict = Number.isFinite(after) && after <= before * 1.05 + 1e-12 ? 'right' : 'wrong';
  return { text: `${(after / before).toFixed(2)} (${refit} of ${repaired.layers.length})`, verdict };
}

function distance(a: Float32Array, b: Float32Array): number {
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - (b[i] as number)) ** 2, 0));
}

async function splitIsWhole(subject: Subject): Promise<Cell> {
  const { model, network, samples, sampleShape } = subject;
  const stages = findStages(model);
  const batch = network.classifier.fixedBatch ?? SAMPLES;
  const { input } = network.classifier;
  let value = tensor(samples.slice(0, batch * sizeOf(sampleShape)), [batch, ...sampleShape]);
  let name = input;
  for (const { output } of stages) {
    const session = await createSession(extractSubgraph(model, [name], [output]), { name: 'zoo' });
    const result = must((await session.run({ [name]: value }, [output]))[output], 'a result');
    value = tensor(Float32Array.from(result.data as Float32Array), result.dims);
    await session.release();
    name = output;
  }
  const far = apart(await runModel(subject, model), value.data);
  return { text: `${stages.length}`, verdict: far <= SAME ? 'right' : 'wrong' };
}
