// Images answered and explained by a bundle in this process, at given levels.
import { assembleModel, type Bundle } from '../../bundle/index.ts';
import { checkLevels, findVariant } from '../../bundle/internal.ts';
import { tensor } from '../../engine/index.ts';
import { AttributionPass } from '../../explain/index.ts';
import { convolutional, parseRule } from '../../explain/internal.ts';
import type { AnsweredBy } from '../../interop/internal.ts';
import { canonicalModel } from '../../onnx/index.ts';
import type { FloatTensor } from '../../run/index.ts';
import { BedsideError, must } from '../../util/index.ts';
import { type AnswerForm, answerForm, explainedWeights } from '../explain/answers.ts';
import { SingleMachine } from '../run/single-machine.ts';
import { answeredBy } from './answered-by.ts';
import type { AnsweredImageScores, FrameChoice, ImageAnswerer } from './answerer.ts';
import { preparedImage } from './one-frame.ts';

/** A bundle that answers images in this process. */
export class LocalAnswerer implements ImageAnswerer {
  readonly by: AnsweredBy;
  readonly form: AnswerForm;
  readonly #bundle: Bundle;
  readonly #levels: readonly number[];
  readonly #policy: string;
  readonly #machine: SingleMachine;
  #pass: Promise<AttributionPass | undefined> | undefined;
  /** Why there is no relevance. */
  #unexplained: string | undefined;

  private constructor(bundle: Bundle, by: AnsweredBy, levels: readonly number[], policy: string) {
    this.#bundle = bundle;
    this.by = by;
    this.form = answerForm(bundle);
    this.#levels = levels;
    this.#policy = policy;
    this.#machine = new SingleMachine(bundle);
  }

  /**
   * @param levels one for each group; default those of the unpruned network
   * @throws BedsideError E_LEVELS; E_UNSUPPORTED for a bundle that does not read images
   */
  static async open(bundle: Bundle, levels: readonly number[] | undefined): Promise<LocalAnswerer> {
    const by = await answeredBy(bundle);
    const [input] = answerForm(bundle).inputs;
    if (by.reads === 'signals' || input?.kind !== 'image') {
      throw new BedsideError('E_UNSUPPORTED', `bundle '${bundle.manifest.name}' does not read images`, {
        hint: 'studies of images are answered; bedside stream answers signals',
      });
    }
    if (levels) checkLevels(bundle.manifest, levels);
    const unpruned = bundle.manifest.groups.map(() => 0);
    const policy = levels ? 'the operator' : 'nothing: the unpruned network';
    return new LocalAnswerer(bundle, by, levels ?? unpruned, policy);
  }

  async answer(image: Uint8Array, _: AbortSignal, frame?: FrameChoice): Promise<AnsweredImageScores> {
    const { sample, remarks } = await preparedImage(this.#bundle, image, frame);
    const { shape } = this.#bundle.manifest.model.input;
    const input = tensor(sample, [1, ...shape]) as FloatTensor;
    const scores = await this.#machine.run(this.#levels, input);
    const relevance = await this.#relevance(input, scores);
    return {
      ...{ scores, sample, relevance, levels: this.#levels, policy: this.#policy, devices: [] },
      remarks: [...remarks, ...(this.#unexplained === undefined ? [] : [this.#unexplained])],
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#pass)?.release();
    await this.#machine.close();
  }

  /** As the gateway explains: LRP-gamma in convolutions, LRP-epsilon in dense layers, for the answer. */
  async #relevance({ data, dims }: FloatTensor, scores: Float32Array): Promise<Float32Array | undefined> {
    this.#pass ??= this.#openPass();
    const pass = await this.#pass;
    if (!pass) return undefined;
    const weights = explainedWeights(this.form.form, scores, undefined);
    return must((await pass.run(data, dims, weights)).input, 'relevance of the input');
  }

  async #openPass(): Promise<AttributionPass | undefined> {
    const { manifest } = this.#bundle;
    const correction = findVariant(manifest, this.#levels);
    const model = assembleModel(this.#bundle, this.#levels, { correction });
    try {
      return await AttributionPass.create(canonicalModel(model), {
        attribution: { kind: 'relevance', ruleOf: convolutional(parseRule('gamma')) },
        ...{ wantInput: true, start: 'given', form: this.form.form, modelName: `bundle '${manifest.name}'` },
      });
    } catch (error) {
      if (!BedsideError.is(error, 'E_UNSUPPORTED')) throw error;
      this.#unexplained = `There is no heat map: ${error.message}.`;
      return undefined;
    }
  }
}
