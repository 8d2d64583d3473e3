// Refits recurrent layers. Given what a layer read and the states that it had in the unpruned network, the sums before
// its gates are linear in its weights: so each gate is refitted on what the layer reads now and on the kept units of the
// unpruned states, toward the sums of the unpruned gates.
import type { Model } from '../onnx/index.ts';
import {
  cloneModel,
  floatConstant,
  GraphBuilder,
  intAttribute,
  RECURRENT_INPUTS,
  type RecurrentLayer,
  recurrentLayer,
} from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import type { RepairSamples } from './augment.ts';
import type { Matrix, Products } from './products.ts';
import { gateMaps, packGates, recurrentSums, type Sequence } from './recurrent-maps.ts';
import { fitLayer } from './refit.ts';
import { drawPositions } from './rows.ts';
import { type NetworkRun, visitValues } from './walk.ts';

/** Settings of a refit. */
export interface RecurrentOptions extends NetworkRun {
  readonly seed: number;
  readonly maxPositions: number;
  /** What the unpruned layer reads and its states on the samples, where that is known. */
  readonly unpruned?: readonly Sequence[] | undefined;
}

/** A refitted recurrent layer; the model is the given one where no refit lowered the held-out error. */
export interface RecurrentRefit {
  readonly model: Model;
  /** Held-out squared error of the states of kept units, divided by their variance. */
  readonly errorBefore: number;
  readonly errorAfter: number;
  readonly rows: number;
  readonly unknowns: number;
  readonly refit: boolean;
}

/**
 * Refits a recurrent layer twice: with the unpruned states as what it remembers, then with the states that the refitted
 * layer itself has. Of both, and of the weights as they were cut, the one with the smallest error of held-out states
 * stays. Layers that start from a state, or whose sequences have lengths of their own, keep their weights.
 * @param kept hidden units that stay, as positions in the unpruned layer
 */
export async function refitRecurrent(
  { original, cut }: { readonly original: Model; readonly cut: Model },
  name: string,
  kept: readonly number[],
  samples: RepairSamples,
  products: Products,
  options: RecurrentOptions,
): Promise<RecurrentRefit> {
  const whole = layerOf(original, name);
  const { lengths, state, cell } = RECURRENT_INPUTS;
  const before = options.unpruned ?? (await sequencesOf(original, name, samples, options));
  const steps = before[0]?.steps ?? 0;
  const positions = drawPositions(samples.size, steps, options.maxPositions, new Random(options.seed));
  const perSample = positions[0]?.length ?? 0;
  const now = await sequencesOf(cut, name, samples, options);
  const errorOf = (sequences: readonly Sequence[]): number => stateError(before, sequences, kept, samples);
  const errorBefore = errorOf(now);
  const narrow = layerOf(cut, name);
  const result = {
    rows: perSample * samples.size,
    unknowns: narrow.inputs + narrow.hidden + 1,
    errorBefore,
  };
  let best = { model: cut, error: errorBefore };
  const fixed = [lengths, state, cell].some((index) => whole.node.inputs[index]);
  if (!fixed) {
    const sums = recurrentSums(whole, before, positions, kept);
    let remembered = before.map((sequence) => ({ ...sequence, ...only(sequence, kept) }));
    for (let round = 0; round < ROUNDS; round++) {
      const maps = gateMaps(layerOf(cut, name), now, remembered, positions);
      const fitted: Matrix[] = [];
      for (const [index, { x, weights }] of maps.entries()) {
        const y = must(sums[index], 'the sums of a gate');
        const fit = await fitLayer(
          { name, x: [x], y: [y], weights: [weights], fitRows: perSample * samples.fitSize },
          products,
          undefined,
        );
        fitted.push(must(fit.weights[0], 'weights'));
      }
      const model = withGates(cut, name, fitted);
      const running = await sequencesOf(model, name, samples, options);
      const error = errorOf(running);
      if (error < best.error) best = { model, error };
      remembered = running;
    }
  }
  return { ...result, model: best.model, errorAfter: best.error, refit: best.model !== cut };
}

const ROUNDS = 2;

export function layerOf({ graph }: Model, name: string): RecurrentLayer {
  const node = graph.nodes.find((candidate) => candidate.name === name);
  return must(node && recurrentLayer(graph, node), `recurrent layer '${name}'`);
}

/** What a layer reads at each step, and its states, for every sample. */
export async function sequencesOf(
  given: Model,
  name: string,
  samples: RepairSamples,
  options: NetworkRun,
): Promise<Sequence[]> {
  const model = cloneModel(given);
  const { node, inputs, hidden } = layerOf(model, name);
  const builder = new GraphBuilder(model.graph);
  node.outputs[0] ||= builder.fresh(`${name}_all`);
  const [read, states] = [node.inputs[0] as string, node.outputs[0]];
  const direction = node.attributes.get('direction');
  const isReverse = direction?.type === 'string' && direction.value === 'reverse';
  const sequences: Sequence[] = [];
  await visitValues(model, [read, states], samples, options, (sample, value) => {
    const [x, h] = [value(read).slice(), value(states).slice()];
    sequences[sample] = { x, h, inputs, hidden, steps: h.length / hidden, isReverse };
  });
  return sequences;
}

/** The kept units of the states. */
function only({ h, hidden, steps }: Sequence, kept: readonly number[]): Pick<Sequence, 'h' | 'hidden'> {
  const result = new Float32Array(steps * kept.length);
  for (let t = 0; t < steps; t++) {
    kept.forEach((unit, i) => {
      result[t * kept.length + i] = h[t * hidden + unit] as number;
    });
  }
  return { h: result, hidden: kept.length };
}

/** Squared error of the states of held-out samples, divided by the variance of the unpruned ones. */
function stateError(
  before: readonly Sequence[],
  now: readonly Sequence[],
  kept: readonly number[],
  { fitSize, size }: RepairSamples,
): number {
  const sums = kept.map(() => ({ sum: 0, square: 0, error: 0 }));
  let rows = 0;
  for (let sample = fitSize; sample < size; sample++) {
    const [a, b] = [must(before[sample], 'a sample'), must(now[sample], 'a sample')];
    for (let t = 0; t < a.steps; t++, rows++) {
      kept.forEach((unit, i) => {
        const value = a.h[t * a.hidden + unit] as number;
        const of = sums[i] as { sum: number; square: number; error: number };
        of.sum += value;
        of.square += value * value;
        of.error += (value - (b.h[t * b.hidden + i] as number)) ** 2;
      });
    }
  }
  const total = (of: (entry: (typeof sums)[number]) => number): number =>
    sums.reduce((sum, entry) => sum + of(entry), 0);
  const variance = total(({ sum, square }) => square - sum ** 2 / Math.max(1, rows));
  return total(({ error }) => error) / (variance > 0 ? variance : 1);
}

/** The model with the weights of a layer's gates replaced. */
export function withGates(model: Model, name: string, fitted: readonly Matrix[]): Model {
  const result = cloneModel(model);
  const layer = layerOf(result, name);
  const { weight, recurrence, bias } = packGates(layer, fitted, isLinearBeforeReset(layer));
  const builder = new GraphBuilder(result.graph);
  const at = RECURRENT_INPUTS;
  const { node } = layer;
  const old = [at.weight, at.recurrence, at.bias].map((index) => node.inputs[index]);
  node.inputs[at.weight] = builder.constant(floatConstant(weight, layer.weight.dims), `${name}.weight`);
  node.inputs[at.recurrence] = builder.constant(
    floatConstant(recurrence, layer.recurrence.dims),
    `${name}.recurrence`,
  );
  node.inputs[at.bias] = builder.constant(floatConstant(bias, [1, bias.length]), `${name}.bias`);
  const read = new Set(result.graph.nodes.flatMap(({ inputs }) => inputs));
  for (const constant of old) if (constant && !read.has(constant)) result.graph.constants.delete(constant);
  return result;
}

function isLinearBeforeReset({ op, node }: RecurrentLayer): boolean {
  return op === 'GRU' && intAttribute(node, 'linear_before_reset', 0) !== 0;
}
