// What a network and its data suggest of a contract, before anything is measured.
import type { InputContract } from '../../data/index.ts';
import {
  BEAT_CLASSES,
  type ClassMap,
  type DataFacts,
  type ImageContract,
  type SignalContract,
  type SignalWindow,
} from '../../data/internal.ts';
import type { Classifier } from '../../evaluate/internal.ts';

/** How sure a field is: read from the model or its shape, the best of several that were measured, or guessed. */
export type Sureness = 'known' | 'measured' | 'guess';

/** A field of a contract, and why it is so. */
export interface GuessedField {
  /** Its path: `image.mean`. */
  readonly field: string;
  readonly value: unknown;
  readonly sure: Sureness;
  readonly why: string;
}

/** A contract that somebody should look at, and what each field rests on. */
export interface Guess {
  readonly contract: InputContract;
  readonly fields: readonly GuessedField[];
}

/** Class names, and which label of the data is which class. */
export function guessClasses(
  { classes, contract }: Pick<Classifier, 'classes' | 'contract'>,
  { labels, kind }: DataFacts,
): Guess {
  if (contract?.classes) {
    return one({ classes: contract.classes }, 'classes', 'known', 'the model names them in its metadata');
  }
  if (!labels || labels.length === 0) return { contract: {}, fields: [] };
  const what =
    labels === BEAT_CLASSES
      ? 'the classes of ANSI/AAMI EC57'
      : `the ${kind === 'edf' ? 'annotations' : 'class folders'} in sorted order`;
  if (labels.length === classes) {
    return one(
      { classes: labels },
      'classes',
      'guess',
      `${what} are as many as the scores; their order is a guess`,
    );
  }
  if (labels.length < classes) return { contract: {}, fields: [] };
  const own = labels.slice(0, classes);
  const classMap: ClassMap = Object.fromEntries(labels.map((label, i) => [label, i < classes ? i : null]));
  const why = `${what} are ${labels.length}, and the scores ${classes}: the first ones were taken, the others left out`;
  return {
    contract: { classes: own, classMap },
    fields: [
      { field: 'classes', value: own, sure: 'guess', why },
      { field: 'classMap', value: classMap, sure: 'guess', why },
    ],
  };
}

/** The layout of an image input, and steps that nothing contradicts. */
export function guessImage(shape: readonly number[], facts: DataFacts): Guess {
  const [a = 0, , c = 0] = shape;
  const isCount = (axis: number): boolean => axis === 1 || axis === 3;
  const both = isCount(a) && isCount(c);
  const layout = isCount(a) ? 'NCHW' : 'NHWC';
  const channels = layout === 'NCHW' ? a : c;
  const image: ImageContract = {
    layout,
    ...(channels === 3 && { colour: 'RGB' }),
    resize: { mode: 'stretch' },
  };
  const fields: GuessedField[] = [
    {
      field: 'image.layout',
      value: layout,
      sure: both ? 'guess' : 'known',
      why: `the input is [${shape.join(', ')}]`,
    },
    {
      field: 'image.resize',
      value: image.resize,
      sure: 'guess',
      why:
        facts.kind === 'images'
          ? 'nothing says how pictures of another size were made to fit'
          : 'counts for arrays of another size only',
    },
  ];
  if (image.colour) {
    fields.push({ field: 'image.colour', value: 'RGB', sure: 'guess', why: 'most networks read red first' });
  }
  return { contract: { image }, fields };
}

/** Leads, window and normalisation of a signal input. */
export function guessSignal(
  shape: readonly number[],
  { leads: found = [], rates = [], hasBeats = true }: DataFacts,
  samplingRate: number | undefined,
): Guess {
  const axes = shape.filter((axis) => axis !== 1);
  const isMany = axes.length === 2;
  const count = isMany ? Math.min(...axes) : 1;
  const length = isMany ? Math.max(...axes) : (axes[0] ?? 1);
  const named = [...found].sort((a, b) => Number(b === 'MLII') - Number(a === 'MLII')).slice(0, count);
  const leads = Array.from({ length: count }, (_, i) => (named[i] === undefined ? '*' : [named[i], '*']));
  const rate = samplingRate ?? (rates.length === 1 ? rates[0] : undefined) ?? 360;
  const before = Math.round((length * 100) / 256);
  const window: SignalWindow = hasBeats
    ? { around: 'beat', before, after: length - before }
    : { around: 'segment' };
  const signal: SignalContract = {
    leads,
    samplingRate: rate,
    units: 'mV',
    window,
    normalisation: { kind: 'z-score', per: 'lead', epsilon: 1e-6 },
  };
  const rateWhy = samplingRate
    ? "the model's metadata says it"
    : rates.length === 1
      ? 'that of the records'
      : `the rate of the MIT-BIH database; the records have ${rates.join(', ')} Hz`;
  const fields: GuessedField[] = [
    { field: 'signal.leads', value: leads, sure: 'guess', why: `of ${found.join(', ') || 'no named leads'}` },
    { field: 'signal.samplingRate', value: rate, sure: samplingRate ? 'known' : 'guess', why: rateWhy },
    {
      field: 'signal.units',
      value: 'mV',
      sure: 'guess',
      why: 'no matter where windows are divided by their deviation',
    },
    {
      field: 'signal.window',
      value: window,
      sure: 'guess',
      why: hasBeats ? '100 of 256 samples before the beat' : 'no annotation marks a beat',
    },
    {
      field: 'signal.normalisation',
      value: signal.normalisation,
      sure: 'guess',
      why: 'most networks of beats are trained so',
    },
  ];
  return { contract: { signal }, fields };
}

/** Guesses together. */
export function joined(...guesses: readonly Guess[]): Guess {
  return {
    contract: Object.assign({}, ...guesses.map(({ contract }) => contract)) as InputContract,
    fields: guesses.flatMap(({ fields }) => fields),
  };
}

function one(contract: InputContract, field: keyof InputContract, sure: Sureness, why: string): Guess {
  return { contract, fields: [{ field, value: contract[field], sure, why }] };
}
