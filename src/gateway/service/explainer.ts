// The relevance of a request's input, at the levels that answered it.
import { assembleModel, type Bundle } from '../../bundle/index.ts';
import { findVariant, levelsKey } from '../../bundle/internal.ts';
import type { FloatTensor } from '../../engine/index.ts';
import { AttributionPass } from '../../explain/index.ts';
import { convolutional, parseRule } from '../../explain/internal.ts';
import { canonicalModel } from '../../onnx/index.ts';
import { must } from '../../util/index.ts';
import { deleteOldest, type ScoreForm } from '../../util/internal.ts';

/** Passes that are kept open; each holds a network and its backward pass in memory. */
const MOST_PASSES = 2;

/** The rule of the relevance that the gateway gives, as `explain` has it by default. */
export const EXPLAINED_BY = 'lrp-gamma';

/** Explains answers of a bundle, in this process. `close` frees what it holds. */
export class Explainer {
  readonly #bundle: Bundle;
  readonly #passes = new Map<string, Promise<AttributionPass>>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(bundle: Bundle) {
    this.#bundle = bundle;
  }

  /**
   * The relevance of an input for the largest score, by LRP-gamma in convolutions and LRP-epsilon in dense layers.
   * @param samples `[batch, ...shape]`
   * @returns `[batch, ...shape]`
   * @throws BedsideError E_UNSUPPORTED for a network that relevance cannot cross, naming the operator
   */
  relevance(
    levels: readonly number[],
    samples: Float32Array,
    dims: readonly number[],
  ): Promise<Float32Array> {
    // One at a time: a pass is several times a forward pass, and must not displace requests.
    const turn = this.#turn.then(async () => {
      const pass = await this.#pass(levels);
      return must((await pass.run(samples, dims)).input, 'relevance of the input');
    });
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /**
   * The relevance of one sample for weighted scores, as `explainedWeights` gives them.
   * @returns one value for each of the sample's, and the part of the explained score that they add up to
   * @throws BedsideError as `relevance`
   */
  weighted(
    levels: readonly number[],
    { data, dims }: FloatTensor,
    form: ScoreForm,
    weights: Float32Array,
  ): Promise<{ readonly values: Float32Array; readonly share: number }> {
    const turn = this.#turn.then(async () => {
      const pass = await this.#pass(levels, form);
      const { input, logits } = await pass.run(data, dims, weights);
      const values = must(input, 'relevance of the input');
      const isSingle = form.task === 'single-label';
      // Of one class relevance starts with the weight, otherwise with the weighted score.
      const start = weights.reduce((sum, weight, i) => sum + weight * (isSingle ? 1 : (logits[i] ?? 0)), 0);
      return { values, share: values.reduce((sum, value) => sum + value, 0) / start };
    });
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async close(): Promise<void> {
    await this.#turn;
    for (const pass of this.#passes.values()) await (await pass).release();
    this.#passes.clear();
  }

  /** @param form undefined: for the largest score; otherwise for weighted scores of this form */
  async #pass(levels: readonly number[], form?: ScoreForm): Promise<AttributionPass> {
    const key = `${levelsKey(levels)} ${form ? 'weighted' : ''}`;
    const known = this.#passes.get(key);
    if (known) return await known;
    const { manifest } = this.#bundle;
    const model = assembleModel(this.#bundle, levels, { correction: findVariant(manifest, levels) });
    const opened = AttributionPass.create(canonicalModel(model), {
      attribution: { kind: 'relevance', ruleOf: convolutional(parseRule('gamma')) },
      wantInput: true,
      ...(form ? { start: 'given' as const, form } : { start: 'predicted' as const }),
      modelName: `bundle '${manifest.name}'`,
    });
    while (this.#passes.size >= MOST_PASSES) {
      const [oldest] = this.#passes.values();
      deleteOldest(this.#passes);
      await (await oldest)?.release();
    }
    this.#passes.set(key, opened);
    opened.catch(() => this.#passes.delete(key));
    return await opened;
  }
}
