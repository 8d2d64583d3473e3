// The graph that a device runs for its segment of a stage: the weights of the levels are assembled, then sliced to a
// range of channels. The merged outputs of all segments equal the output of the whole stage.
import { type Bundle, stageCosts } from '../../bundle/index.ts';
import {
  assemblePart,
  type BundleStage,
  type Correction,
  eightBitCosts,
  findVariant,
  keptUnitsAt,
  levelsKey,
  rangesAt,
  type StageCosts,
  storedCorrection,
} from '../../bundle/internal.ts';
import { findGroups, type KeptUnits, sliceModel } from '../../channels/index.ts';
import { keptPositions } from '../../channels/internal.ts';
import type { Model } from '../../onnx/index.ts';
import {
  cloneModel,
  extractSubgraph,
  isWeighted,
  layerLayout,
  recurrentOp,
  removeDead,
} from '../../onnx/internal.ts';
import type { StageView } from '../../plan/internal.ts';
import { BedsideError, must } from '../../util/index.ts';
import { inTurns, scaleOfRange, type ValueRange, type ValueScale } from '../../util/internal.ts';
import { dropBiases } from './drop-biases.ts';
import type { StageSpan } from './stage-fusion.ts';

/** Channels `from` to `to` (exclusive): of the stage's output, or for partial sums of its inner value. */
export interface ChannelRange {
  readonly from: number;
  readonly to: number;
}

/** How the outputs of a stage's segments become its output. */
export type MergeRule = { readonly kind: 'concat'; readonly axis: number } | { readonly kind: 'sum' };

/** What a stage computes in. */
export type Precision = StageView['precision'];

/** What every request needs to know about a level vector. */
interface LevelVectorFacts {
  readonly keys: Map<string, string>;
  readonly costs: (StageCosts | undefined)[];
  readonly eightBitCosts: (StageCosts | undefined)[];
  /** Of one sample of each stage's input. */
  readonly inputShapes: (readonly number[] | undefined)[];
  /** Ranges of activations, once they were asked for. */
  ranges?: ReadonlyMap<string, ValueRange> | undefined;
  /** Index of the variant with these levels, if it has a correction. */
  readonly variant: number | undefined;
}

/** Number of level vectors that are remembered. */
const REMEMBERED = 256;

/** The stages of one bundle as models of their own. Only the layers of a stage are assembled, not the whole network. */
export class StageModels {
  readonly bundle: Bundle;
  readonly #parts = new Map<string, Model>();
  readonly #groupsOf = new Map<string, readonly number[]>();
  readonly #byLevels = new Map<string, LevelVectorFacts>();
  /** The same by the vector itself: requests of one plan have one. */
  readonly #byVector = new WeakMap<readonly number[], LevelVectorFacts>();

  readonly #hasWeights: (stage: number) => boolean;

  /** @param hasWeights whether a stage has its weights, for a bundle that was fetched in part */
  constructor(bundle: Bundle, hasWeights: (stage: number) => boolean = () => true) {
    this.bundle = bundle;
    this.#hasWeights = hasWeights;
  }

  /** Whether all these stages have their weights. */
  hasWeights({ first, last }: StageSpan): boolean {
    for (let at = first; at <= last; at++) if (!this.#hasWeights(at)) return false;
    return true;
  }

  /**
   * A stage at these levels; with `range`, the part of it that computes those channels. The levels of a variant bring
   * its correction. For partial sums, the part from channel 0 also adds the biases.
   * @param levels of all groups
   * @throws BedsideError E_LEVELS for levels that the bundle lacks; E_INTERNAL for a range that the stage lacks
   */
  model(stage: number, levels: readonly number[], range?: ChannelRange): Model {
    const whole = this.span({ first: stage, last: stage }, levels);
    if (!range) return whole;
    const { split } = this.stage(stage);
    if (split === 'none') {
      if (range.from === 0) return whole;
      throw new BedsideError('E_INTERNAL', `internal: stage ${stage} cannot be split`);
    }
    return cutTo(whole, split, range);
  }

  /** Consecutive whole stages at these levels, as one graph. */
  span(span: StageSpan, levels: readonly number[]): Model {
    const { manifest, grouping, tensors } = this.bundle;
    const part = this.#part(span);
    const correction = this.#correction(span, levels, keptUnitsAt(manifest, levels));
    return assemblePart(part, { model: part, grouping, tensors, manifest }, levels, { correction });
  }

  /**
   * These stages in their eight-bit form, with weights of seven bits where this machine needs that.
   * @param model as `model` or `span` gave it
   * @param integers whether its input comes as uint8
   * @throws BedsideError E_BUNDLE for a bundle without such forms
   */
  async eightBit(
    model: Model,
    { first, last }: StageSpan,
    levels: readonly number[],
    integers: boolean,
  ): Promise<Model> {
    // Most devices never need it, and it brings all of the repair with it.
    const { eightBitStages, saturates, withUint8Input } = await import('../../quantize/internal.ts');
    const forms = this.bundle.manifest.eightBit?.slice(first, last + 1) ?? [];
    const layers = new Set(forms.flatMap((form) => form.layers));
    const joints = this.bundle.manifest.stages.slice(first, last).map(({ output }) => output);
    // A device that rounds a large stage must still be heard: heartbeats go out between its layers.
    const form = await inTurns(
      eightBitStages({ model, joints }, layers, this.#ranges(levels), await saturates()),
    );
    return integers ? withUint8Input(form, this.inputScale(first, levels)) : form;
  }

  /** What the integers of a stage's input mean where it travels as uint8. @throws BedsideError E_BUNDLE, as `eightBit` */
  inputScale(stage: number, levels: readonly number[]): ValueScale {
    const { input } = this.stage(stage);
    return scaleOfRange(must(this.#ranges(levels).get(input), `range of '${input}'`));
  }

  #ranges(levels: readonly number[]): ReadonlyMap<string, ValueRange> {
    const known = this.#known(levels);
    known.ranges ??= rangesAt(this.bundle, levels);
    return known.ranges;
  }

  /** The shape of a whole stage's input at these levels, for one sample. */
  inputShape(stage: number, levels: readonly number[]): readonly number[] {
    const { inputShapes } = this.#known(levels);
    inputShapes[stage] ??= this.#inputShape(stage, levels);
    return inputShapes[stage];
  }

  #inputShape(stage: number, levels: readonly number[]): readonly number[] {
    const { manifest, grouping } = this.bundle;
    const { input } = this.stage(stage);
    const shape = must(grouping.shapes.get(input), `shape of '${input}'`);
    const kept = keptPositions(grouping, keptUnitsAt(manifest, levels))(input);
    const axis = grouping.values.get(input)?.axis;
    return shape.map((dim, at) => (at === axis && kept ? kept.length : dim));
  }

  /** How the outputs of a stage's segments become its output. */
  mergeRule(stage: number): MergeRule {
    const { split, output } = this.stage(stage);
    if (split === 'partial-sums') return { kind: 'sum' };
    return { kind: 'concat', axis: this.bundle.grouping.values.get(output)?.axis ?? 1 };
  }

  /**
   * A key for all that the weights of these stages depend on: the levels of the groups that occur in them, and the
   * variant whose correction they use. Levels of other groups are left out, so that changing them costs no new session.
   * @param ranges whether the ranges of activations matter too, which are a variant's own
   */
  key(span: StageSpan, levels: readonly number[], ranges = false): string {
    if (ranges) return `${span.first}-${span.last}|ranges of ${levelsKey(levels)}`;
    const known = this.#known(levels);
    const name = `${span.first}-${span.last}`;
    let key = known.keys.get(name);
    if (key === undefined) {
      const own = this.#groups(span).map((group) => `${group}:${levels[group]}`);
      key = `${name}|${own.join()}|${known.variant === undefined ? '' : `variant ${known.variant}`}`;
      known.keys.set(name, key);
    }
    return key;
  }

  /** As `stageCosts` and `eightBitCosts`, but remembered. */
  costs(stage: number, levels: readonly number[], precision: Precision = 'float32'): StageCosts {
    const { manifest } = this.bundle;
    const facts = this.#known(levels);
    const eight = precision === 'int8';
    const known = eight ? facts.eightBitCosts : facts.costs;
    const costs = known[stage] ?? (eight ? eightBitCosts : stageCosts)(manifest, stage, levels);
    known[stage] = costs;
    return costs;
  }

  /** The manifest's entry of a stage. */
  stage(stage: number): BundleStage {
    return must(this.bundle.manifest.stages[stage], `stage ${stage}`);
  }

  /** Groups whose channels occur in these stages. */
  #groups(span: StageSpan): readonly number[] {
    const name = `${span.first}-${span.last}`;
    const known = this.#groupsOf.get(name);
    if (known) return known;
    const { values } = this.bundle.grouping;
    const groups = new Set<number>();
    for (const { inputs, outputs } of this.#part(span).graph.nodes) {
      for (const value of [...inputs, ...outputs]) {
        for (const group of values.get(value)?.group ?? []) if (group >= 0) groups.add(group);
      }
    }
    const sorted = [...groups].sort((a, b) => a - b);
    this.#groupsOf.set(name, sorted);
    return sorted;
  }

  #known(levels: readonly number[]): LevelVectorFacts {
    const same = this.#byVector.get(levels);
    if (same) return same;
    const name = levelsKey(levels);
    let known = this.#byLevels.get(name);
    if (!known) {
      const variant = findVariant(this.bundle.manifest, levels);
      const corrected = variant !== undefined && this.bundle.manifest.variants[variant]?.corrected;
      known = {
        ...{ keys: new Map(), costs: [], eightBitCosts: [], inputShapes: [] },
        variant: corrected ? variant : undefined,
      };
      if (this.#byLevels.size >= REMEMBERED) this.#byLevels.clear();
      this.#byLevels.set(name, known);
    }
    this.#byVector.set(levels, known);
    return known;
  }

  /** The subgraph of these stages in the unpruned network. */
  #part({ first, last }: StageSpan): Model {
    const name = `${first}-${last}`;
    let part = this.#parts.get(name);
    if (!part) {
      const { input } = this.stage(first);
      part = extractSubgraph(this.bundle.model, [input], [this.stage(last).output]);
      this.#parts.set(name, part);
    }
    return part;
  }

  /** The correction of the variant with these levels, cut to these stages; undefined if there is none. */
  #correction(span: StageSpan, levels: readonly number[], keep: KeptUnits): Correction | undefined {
    const { manifest, tensors, grouping, model } = this.bundle;
    const variant = findVariant(manifest, levels);
    if (variant === undefined || !manifest.variants[variant]?.corrected) return undefined;
    const nodes = new Map(model.graph.nodes.map((node) => [node.name, node]));
    const isOwn = ({ stage }: { readonly stage: number }): boolean =>
      stage >= span.first && stage <= span.last;
    const stored = storedCorrection(tensors, variant, manifest.layers.filter(isOwn));
    const { scale, bias, lowRank, recurrent, head } = stored;
    // Recurrent layers have no scales and biases.
    const layers = manifest.layers.filter(({ name }) => {
      return !recurrentOp(must(nodes.get(name), `layer '${name}'`));
    });
    const own = layers.filter(isOwn);
    const positions = keptPositions(grouping, keep);
    let at = 0;
    let [from, to] = [0, 0];
    for (const layer of layers) {
      const node = must(nodes.get(layer.name), `layer '${layer.name}'`);
      const [output = ''] = node.outputs;
      // A value whose channels are in no group, such as a mask of one channel, is not among the grouped ones.
      const given = layerLayout(model.graph, node, (name) => grouping.shapes.get(name))?.outChannels;
      const all = must(grouping.values.get(output)?.group.length ?? given, `channels of '${output}'`);
      if (layer === own[0]) from = at;
      at += positions(output)?.length ?? all;
      if (layer === own.at(-1)) to = at;
    }
    return {
      scale: scale.subarray(from, to),
      bias: bias.subarray(from, to),
      lowRank,
      recurrent,
      head: own.length > 0 && own.at(-1) === manifest.layers.at(-1) ? head : undefined,
    };
  }
}

/** The stage, sliced to a range of the output channels of its first weighted layer. */
function cutTo(whole: Model, split: 'outputs' | 'partial-sums', range: ChannelRange): Model {
  const { graph } = whole;
  // Without graph outputs no channel is frozen, so that the stage's output can be sliced too.
  const free: Model = { ...whole, graph: { ...graph, outputs: [] } };
  const grouping = findGroups(free);
  const [first] = graph.nodes.filter((node) => isWeighted(graph, node));
  const made = grouping.values.get(first?.outputs[0] ?? '');
  const group = grouping.groups[made?.group[0] ?? -1];
  const channels = made?.group.length ?? 0;
  if (range.from === 0 && range.to === channels) return whole;
  if (
    !group ||
    group.channels !== channels ||
    !(range.from >= 0 && range.from < range.to && range.to <= channels)
  ) {
    throw new BedsideError(
      'E_INTERNAL',
      `internal: no channels ${range.from} to ${range.to} of ${channels} of '${graph.outputs[0]?.name}'`,
    );
  }
  const units = Array.from({ length: range.to - range.from }, (_, at) => range.from + at);
  const cut = cloneModel(sliceModel(whole, grouping, new Map([[group.id, units]])));
  const axis = grouping.values.get(graph.outputs[0]?.name ?? '')?.axis;
  if (split === 'outputs') {
    for (const value of cut.graph.outputs) {
      value.dims = value.dims?.map((dim, at) => (at === axis ? undefined : dim));
    }
  } else if (range.from > 0) {
    dropBiases(cut);
    removeDead(cut.graph);
  }
  return cut;
}
