// The relevance of a request's input, at the levels that answered it.
import { assembleModel, type Bundle } from '../../bundle/index.ts';
import { findVariant, levelsKey } from '../../bundle/internal.ts';
import { AttributionPass } from '../../explain/index.ts';
import { convolutional, parseRule } from '../../explain/internal.ts';
import { canonicalModel } from '../../onnx/index.ts';
import { must } from '../../util/index.ts';
import { deleteOldest } from '../../util/internal.ts';

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

  async close(): Promise<void> {
    await this.#turn;
    for (const pass of this.#passes.values()) await (await pass).release();
    this.#passes.clear();
  }

  async #pass(levels: readonly number[]): Promise<AttributionPass> {
    const key = levelsKey(levels);
    const known = this.#passes.get(key);
    if (known) return await known;
    const { manifest } = this.#bundle;
    const model = assembleModel(this.#bundle, levels, { correction: findVariant(manifest, levels) });
    const opened = AttributionPass.create(canonicalModel(model), {
      attribution: { kind: 'relevance', ruleOf: convolutional(parseRule('gamma')) },
      wantInput: true,
      start: 'predicted',
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
