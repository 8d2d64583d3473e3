// The data of one heatmap: a sample, the relevance of its values, and the network's answer.
import type { InputPart } from '../../data/internal.ts';

/** The position of a beat's R peak. */
export interface BeatGeometry {
  /** Samples a second. */
  readonly rate: number;
  /** Index of the R peak in the window. */
  readonly peak: number;
}

/** One explained sample. */
export interface ExplainedSample {
  /** Index in the data set. */
  readonly index: number;
  /** The record or file it comes from. */
  readonly origin: string | undefined;
  /** `[channels, length]` or `[channels, height, width]`. */
  readonly shape: readonly number[];
  /** What stands in the sample one after the other, for a network of several inputs. */
  readonly inputs?: readonly InputPart[] | undefined;
  readonly sample: Float32Array;
  /** One value for each of `sample`; positive values speak for the explained class. */
  readonly relevance: Float32Array;
  /** The class explained; -1 where it is not one class. */
  readonly target: number;
  /** What is explained of a task without classes, as `the labels N and V`. */
  readonly subject?: string | undefined;
  /** The true class; undefined without labels. */
  readonly label: number | undefined;
  /** One per class. */
  readonly probabilities: ArrayLike<number>;
  readonly classNames: readonly string[];
  /** Defined for heartbeats that are cut around their R peak. */
  readonly beat: BeatGeometry | undefined;
  readonly criterion: {
    readonly name: string;
    readonly summary: string;
    readonly source: string;
    /** Contribution: the effect of the signal as it is. Sensitivity: the effect of more signal. */
    readonly meaning: 'contribution' | 'sensitivity';
  };
}

/** The name of a class; its number if it has no name. */
export function className({ classNames }: Pick<ExplainedSample, 'classNames'>, index: number): string {
  return classNames[index] ?? String(index);
}

/** What is explained: a class by its name, or the subject of another task. */
export function subjectOf(explained: Pick<ExplainedSample, 'classNames' | 'target' | 'subject'>): string {
  return explained.subject ?? className(explained, explained.target);
}

/** The classes of ANSI/AAMI EC57 in words. */
const BEAT_WORDS: Readonly<Record<string, string>> = {
  N: 'normal beat',
  S: 'supraventricular ectopic beat',
  V: 'ventricular ectopic beat',
  F: 'fusion of ventricular and normal beat',
  Q: 'paced or unclassifiable beat',
};

/** The name of a class, followed by a description if it is a kind of heartbeat. */
export function described(explained: Pick<ExplainedSample, 'classNames' | 'beat'>, index: number): string {
  const name = className(explained, index);
  const words = explained.beat && BEAT_WORDS[name];
  return words === undefined ? name : `${name} (${words})`;
}

/** The most probable class. */
export function predicted({ probabilities }: Pick<ExplainedSample, 'probabilities'>): number {
  let best = 0;
  for (let k = 1; k < probabilities.length; k++) {
    if ((probabilities[k] as number) > (probabilities[best] as number)) best = k;
  }
  return best;
}

/** `97.2 %`; probabilities that would round to 0 or 100 % become `< 0.1 %` and `> 99.9 %`. */
export function probabilityText(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (value > 0 && value < 0.0005) return '< 0.1 %';
  if (value < 1 && value >= 0.9995) return '> 99.9 %';
  return `${(100 * value).toFixed(1)} %`;
}

/** `<index>-<class>.svg`: safe on every file system; names sort in the order of the samples. */
export function fileName(explained: ExplainedSample, digits: number): string {
  const { index, label, target, subject } = explained;
  const name = (subject === undefined ? className(explained, label ?? target) : 'sample')
    .normalize('NFC')
    .replace(/[^\p{L}\p{N}_-]+/gu, '_')
    .replace(/^_+|_+$/g, '');
  const short = [...name].slice(0, 40).join('');
  return `${String(index).padStart(digits, '0')}-${short || `class${label ?? target}`}.svg`;
}
