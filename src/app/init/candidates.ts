// Ways in which networks are commonly fed, of which the one with the best measure is taken.
import type { InputContract } from '../../data/index.ts';
import type { DataFacts, ImageContract, SignalContract } from '../../data/internal.ts';

/** A way to prepare samples: the fields that it says, in words. */
export interface Candidate {
  readonly name: string;
  readonly contract: InputContract;
}

/** Several candidates for the same fields. */
export interface Question {
  /** Paths of the fields. */
  readonly fields: readonly string[];
  readonly candidates: readonly Candidate[];
}

/** Values that torchvision's networks are trained with. */
const IMAGENET = { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };
/** Means of blue, green and red in stored values, as Caffe's networks take them away. */
const CAFFE = { scale: 1, mean: [103.939, 116.779, 123.68], colour: 'BGR' } as const;

/** What is tried of images. */
export function imageQuestions(
  base: InputContract,
  channels: number,
  facts: DataFacts,
): readonly ((best: InputContract) => Question)[] {
  // Numbers with fractions are taken as they are, whatever the contract says.
  if (facts.array?.dtype.startsWith('float')) return [];
  const way = (name: string, image: ImageContract): Candidate => ({
    name,
    contract: { ...base, image: { ...base.image, ...image } },
  });
  const values = [
    way('0 to 1', {}),
    way('-1 to 1', { mean: 0.5, deviation: 0.5 }),
    way('0 to 255', { scale: 1 }),
    ...(channels === 3
      ? [
          way("mean and deviation of ImageNet's channels", IMAGENET),
          way('BGR less the means of Caffe', CAFFE),
        ]
      : [way('mean and deviation of ImageNet in grey', { mean: 0.449, deviation: 0.226 })]),
  ];
  const fields = ['image.scale', 'image.mean', 'image.deviation', 'image.colour'];
  return [() => ({ fields, candidates: values })];
}

/** What is tried of recordings: normalisation, then the place of the beat, then rates where nothing says one. */
export function signalQuestions(
  base: InputContract,
  length: number,
  isRateKnown: boolean,
): readonly ((best: InputContract) => Question)[] {
  const way = (from: InputContract, name: string, signal: SignalContract): Candidate => ({
    name,
    contract: { ...from, signal: { ...from.signal, ...signal } },
  });
  const normalisation = (from: InputContract): Question => ({
    fields: ['signal.normalisation'],
    candidates: [
      way(from, 'z-score of each lead', {}),
      way(from, 'millivolts as they are', { normalisation: { kind: 'none' } }),
    ],
  });
  const place = (from: InputContract): Question => ({
    fields: ['signal.window'],
    candidates: [Math.round((length * 100) / 256), Math.round(length / 2), Math.round(length / 3)].map(
      (before) =>
        way(from, `${before} samples before the beat`, {
          window: { around: 'beat', before, after: length - before },
        }),
    ),
  });
  const rates = [...new Set([base.signal?.samplingRate ?? 360, 360, 250, 125])];
  const rate = (from: InputContract): Question => ({
    fields: ['signal.samplingRate'],
    candidates: rates.map((samplingRate) => way(from, `${samplingRate} Hz`, { samplingRate })),
  });
  return isRateKnown ? [normalisation, place] : [normalisation, place, rate];
}
