// Answers of a bundle's network for people: probabilities by name, labels, masks, values; and how far two answers agree.
import type { Bundle } from '../../bundle/index.ts';
import { taskOf } from '../../bundle/internal.ts';
import { agreement, channelsOf, foundMasks, type ScoreForm, yesOrNo } from '../../evaluate/internal.ts';
import { startWeights } from '../../explain/internal.ts';
import { BedsideError } from '../../util/index.ts';
import { argmax, softmax } from '../../util/internal.ts';
import { classifierOf } from '../bundle/open-bundle.ts';
import { drawnAs } from './drawn-as.ts';

/** One input of a network, and how it is drawn. */
export interface ShownInput {
  readonly name: string;
  /** Of one sample. */
  readonly shape: readonly number[];
  /** `image`: two axes of positions; `signal`: traces; `values`: a list. */
  readonly kind: 'image' | 'signal' | 'values';
  /** Whether channels or leads are the last axis. */
  readonly channelsLast: boolean;
  /** Samples a second, and names of leads, of signals where the contract says them. */
  readonly rate?: number | undefined;
  readonly leads?: readonly string[] | undefined;
}

/** What a bundle's network reads and answers. */
export interface AnswerForm {
  readonly form: ScoreForm;
  /** Names of classes or labels where the bundle has them. */
  readonly classNames: readonly string[] | undefined;
  readonly inputs: readonly ShownInput[];
}

/** An answer. Which fields are there depends on the task. */
export interface ReadAnswer {
  /** Of each class or label; of one class that is there or not, of both. */
  readonly probabilities?: readonly number[] | undefined;
  /** Classes or labels that are the answer; of a mask those that it has anywhere. */
  readonly found?: readonly number[] | undefined;
  /** Of values and embeddings. */
  readonly values?: readonly number[] | undefined;
  /** Of a mask: the class of each position, 0 for none (of classes that exclude each other the background), and its shape. */
  readonly mask?: { readonly shape: readonly number[]; readonly data: Uint8Array } | undefined;
}

/** Most values of a regression or an embedding that are told. */
const MOST_VALUES = 256;

/** Reads what a bundle says of its input and output. */
export function answerForm(bundle: Bundle): AnswerForm {
  const { manifest } = bundle;
  const { inputs, sampleShape, input, contract, samplingRate, ...form } = classifierOf(bundle);
  const { labels, probabilities = form.probabilities } = taskOf(manifest);
  const isSignal = manifest.preprocessing.kind === 'beats' || samplingRate !== undefined;
  const parts = inputs ?? [{ name: input, shape: sampleShape }];
  const { signal } = contract ?? {};
  const leads = signal?.leads?.map((names) => (typeof names === 'string' ? names : (names[0] ?? '')));
  return {
    form: { ...form, probabilities },
    classNames: labels ?? contract?.classes,
    inputs: parts.map(({ name, shape }) => {
      const { isImage, isLast } = drawnAs(isSignal, shape, contract);
      const long = shape.filter((axis) => axis > 1);
      const isTraces = (shape.length > 1 || isSignal) && (long.length === 1 || long.length === 2);
      const kind = isImage ? 'image' : isTraces ? 'signal' : 'values';
      return {
        ...{ name, shape, kind, channelsLast: isLast },
        ...(kind === 'signal' ? { rate: signal?.samplingRate ?? samplingRate, leads } : {}),
      };
    }),
  };
}

/** One sample's scores for people. @throws BedsideError E_NOT_FINITE */
export function readAnswer(form: ScoreForm, scores: Float32Array): ReadAnswer {
  const sigmoid = (score: number): number => (form.probabilities ? score : 1 / (1 + Math.exp(-score)));
  switch (form.task) {
    case 'single-label':
      return {
        probabilities: form.probabilities ? Array.from(scores) : Array.from(softmax(scores)),
        found: [argmax(scores, 0, scores.length, 'the scores')],
      };
    case 'binary': {
      const [yes = 0] = Array.from(scores, sigmoid);
      return { probabilities: [1 - yes, yes], found: Array.from(yesOrNo(form, scores)) };
    }
    case 'multi-label':
      return {
        probabilities: Array.from(scores, sigmoid),
        found: indicesOf(yesOrNo(form, scores)),
      };
    case 'segmentation':
      return maskOf(form, scores);
    default:
      return { values: Array.from(scores.subarray(0, MOST_VALUES)) };
  }
}

/** How far two answers agree, at most 1: `agreement` of one sample. */
export function agreementOfAnswers(form: ScoreForm, first: Float32Array, second: Float32Array): number {
  return agreement(form, first, second);
}

/**
 * The weight of each score in what is explained: one class, or what the answer says.
 * @param subject a class or label; undefined: the answer
 * @throws BedsideError E_REQUEST for a class that there is not, or of a task without classes
 */
export function explainedWeights(
  form: ScoreForm,
  scores: Float32Array,
  subject: number | undefined,
): Float32Array {
  if (form.task === 'single-label' || (form.task === 'multi-label' && subject !== undefined)) {
    const weights = new Float32Array(form.scores);
    const at = subject ?? argmax(scores, 0, scores.length, 'the scores');
    if (!Number.isInteger(at) || at < 0 || at >= form.scores) {
      throw new BedsideError('E_REQUEST', `class ${at} is not one of the network's ${form.scores}`);
    }
    weights[at] = 1;
    return weights;
  }
  if (subject === undefined) return startWeights(form, undefined, scores, 1, 'the network');
  throw new BedsideError('E_REQUEST', `a network for ${form.task} has no class to choose`, {
    hint: 'leave it out: the answer is explained',
  });
}

function maskOf(form: ScoreForm, scores: Float32Array): ReadAnswer {
  const channels = channelsOf(form);
  const positions = form.scores / channels;
  const masks = foundMasks(form, scores);
  const data = new Uint8Array(positions);
  const present = new Uint8Array(channels);
  // Where labels overlap the last one is shown.
  for (let i = 0; i < masks.length; i++) {
    if (!masks[i]) continue;
    const channel = Math.floor(i / positions);
    present[channel] = 1;
    data[i % positions] = form.exclusive ? channel : channel + 1;
  }
  const shape = form.outputShape.length > 1 ? form.outputShape.slice(1) : form.outputShape;
  return { mask: { shape, data }, found: indicesOf(present) };
}

function indicesOf(flags: Uint8Array): number[] {
  return Array.from(flags.keys()).filter((i) => flags[i]);
}
