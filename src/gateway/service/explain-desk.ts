// One sample, answered at chosen levels and by the unpruned network, with the relevance of its input for both.
import {
  type AnswerForm,
  agreementOfAnswers,
  answerForm,
  explainedWeights,
  type PickedSamples,
  type ReadAnswer,
  readAnswer,
} from '../../app/index.ts';
import { type FloatTensor, tensor } from '../../engine/index.ts';
import { BedsideError, must } from '../../util/index.ts';
import type { Scalar } from '../protocol/infer-request.ts';
import { RequestQueue } from './request-queue.ts';
import type { Served, ServedModel } from './served-model.ts';

/** What is asked for beside the sample. */
export interface ExplainChoice {
  /** Parameters of the answer: `levels` or `variant`; none: as the policy chooses. */
  readonly parameters: Readonly<Record<string, Scalar>>;
  /** The class or label whose score is explained; undefined: the answer. */
  readonly subject: number | undefined;
}

/** One answer and its relevance. */
export interface DeskAnswer {
  readonly served: Served;
  readonly levels: readonly number[];
  readonly scores: Float32Array;
  readonly read: ReadAnswer;
  readonly relevance:
    | { readonly values: Float32Array; readonly share: number }
    | { readonly refused: string };
}

/** Both answers. */
export interface DeskExplanation {
  readonly chosen: DeskAnswer;
  /** The chosen one itself where it is unpruned; or why there is none. */
  readonly unpruned: DeskAnswer | { readonly refused: string };
  readonly agreement: number | undefined;
  readonly relevanceAgreement: number | undefined;
}

/** Samples that are explained for pages at the same time, and that wait. */
const BOUNDS = { running: 1, waiting: 16 };

/** Explains samples of one model. */
export class ExplainDesk {
  readonly model: ServedModel;
  readonly form: AnswerForm;
  readonly samples: PickedSamples | undefined;
  readonly #queue = new RequestQueue(BOUNDS);

  /** @param samples that people may pick */
  constructor(model: ServedModel, samples: PickedSamples | undefined) {
    this.model = model;
    this.samples = samples;
    this.form = answerForm(model.bundle);
  }

  /** Names of classes or labels: the bundle's, those of the samples, or numbers. */
  get classNames(): readonly string[] {
    const { form, classNames } = this.form;
    const own = classNames ?? this.samples?.dataset.classNames;
    return own?.length === form.classes ? own : Array.from({ length: form.classes }, (_, i) => String(i));
  }

  /** One of the samples that may be picked. @throws BedsideError E_NOT_FOUND */
  picked(index: number): { readonly sample: FloatTensor; readonly label: string } {
    const { dataset, labels } = this.samples ?? {};
    if (!dataset || !labels || !Number.isInteger(index) || index < 0 || index >= dataset.size) {
      throw new BedsideError('E_NOT_FOUND', `there is no sample ${index} to pick`, {
        hint: this.samples
          ? `samples: 0 to ${this.samples.dataset.size - 1}`
          : 'bedside serve --samples DATA offers some',
      });
    }
    const size = dataset.samples.length / dataset.size;
    const values = dataset.samples.slice(index * size, (index + 1) * size);
    return { sample: tensor(values, [1, ...dataset.sampleShape]) as FloatTensor, label: labels[index] ?? '' };
  }

  /**
   * Answers a sample and explains it.
   * @param keep is told each answer, before it is given
   * @throws BedsideError E_BUSY; E_REQUEST for a class that there is not; as `ServedModel.infer`
   */
  async explain(
    sample: FloatTensor,
    { parameters, subject }: ExplainChoice,
    signal: AbortSignal,
    keep: (served: Served) => Promise<void>,
  ): Promise<DeskExplanation> {
    const { result } = await this.#queue.run(async () => {
      const first = await this.model.inferSample(sample, parameters, signal);
      await keep(first);
      const { form } = this.form;
      const weights = explainedWeights(form, scoresOf(first), subject);
      const chosen = await this.#answered(sample, first, weights);
      const unpruned = chosen.levels.every((level) => level === 0)
        ? chosen
        : await this.#unpruned(sample, weights, signal, keep);
      if ('refused' in unpruned) {
        return { chosen, unpruned, agreement: undefined, relevanceAgreement: undefined };
      }
      const [a, b] = [unpruned.relevance, chosen.relevance];
      return {
        ...{ chosen, unpruned },
        agreement: agreementOfAnswers(form, unpruned.scores, chosen.scores),
        relevanceAgreement: 'values' in a && 'values' in b ? cosine(a.values, b.values) : undefined,
      };
    }, signal);
    return result;
  }

  /** The unpruned network's answer for the same scores, or why there is none. */
  async #unpruned(
    sample: FloatTensor,
    weights: Float32Array,
    signal: AbortSignal,
    keep: (served: Served) => Promise<void>,
  ): Promise<DeskAnswer | { readonly refused: string }> {
    const levels = this.model.bundle.manifest.groups.map(() => 0).join(',');
    try {
      const served = await this.model.inferSample(sample, { levels }, signal);
      await keep(served);
      return await this.#answered(sample, served, weights);
    } catch (error) {
      if (!BedsideError.is(error) || error.code === 'E_CANCELLED') throw error;
      return { refused: error.message };
    }
  }

  async #answered(sample: FloatTensor, served: Served, weights: Float32Array): Promise<DeskAnswer> {
    const scores = scoresOf(served);
    const { levels } = must(served.results[0], 'a result').plan;
    return {
      ...{ served, levels, scores },
      read: readAnswer(this.form.form, scores),
      relevance: await this.#relevance(levels, sample, weights),
    };
  }

  async #relevance(
    levels: readonly number[],
    sample: FloatTensor,
    weights: Float32Array,
  ): Promise<DeskAnswer['relevance']> {
    try {
      const found = await this.model.weightedRelevance(levels, sample, this.form.form, weights);
      if (found.values.every(Number.isFinite)) return found;
      return { refused: 'the relevance of this input is not finite' };
    } catch (error) {
      if (!BedsideError.is(error)) throw error;
      return { refused: error.message };
    }
  }
}

function scoresOf({ results }: Served): Float32Array {
  return must(results[0], 'a result').logits.data;
}

/** Undefined where one of the two is zero. */
function cosine(a: Float32Array, b: Float32Array): number | undefined {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : undefined;
}
