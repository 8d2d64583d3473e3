// How well a replayed signal was found and classified, where its beats are annotated.

import { BEAT_CLASSES, LabelMap, type Recording } from '../../data/internal.ts';
import { accuracies, type Classifier } from '../../evaluate/internal.ts';
import { type BeatCounts, compareBeats, detectionShares } from '../../signal/index.ts';
import type { StreamFigures } from './events.ts';

/** Seconds that EC57 leaves out at the start; of a replay that is not longer, those in which the detector learns. */
const LEARNING = 300;
const SHORT_LEARNING = 3;

/** A replayed signal's annotations, and what was found of it. */
export class Reference {
  readonly #recording: Recording;
  readonly #classOf: Int32Array;
  readonly #classes: number;
  readonly #detected: number[] = [];
  readonly #labels: (number | undefined)[] = [];
  /** Of labels that the network has no class for. */
  readonly remarks: readonly string[];

  /** @throws BedsideError E_DATA_FIT where annotated classes are not those of the network */
  constructor(recording: Recording, classifier: Classifier) {
    this.#recording = recording;
    this.#classes = classifier.classes;
    const symbols = classifier.contract?.signal?.labels === 'symbols';
    const beats = recording.beats ?? [];
    const names = symbols ? [...new Set(beats.map(({ symbol }) => symbol))].sort() : [...BEAT_CLASSES];
    const map = LabelMap.named(classifier, names, recording.name);
    this.remarks = map.remarks;
    const { labels } = map.apply(
      Int32Array.from(beats, ({ beatClass, symbol }) => names.indexOf(symbols ? symbol : beatClass)),
    );
    this.#classOf = labels;
  }

  /** A beat that was found, and its class; undefined where it has no answer. */
  add(sample: number, label: number | undefined): void {
    this.#detected.push(sample);
    this.#labels.push(label);
  }

  /** @param seconds of signal that were replayed */
  figures(seconds: number): Counted | undefined {
    const { beats, flutter, rate } = this.#recording;
    if (!beats) return undefined;
    const end = seconds * rate;
    const learning = seconds > LEARNING ? LEARNING : SHORT_LEARNING;
    const reference = beats.map(({ sample }) => sample).filter((sample) => sample < end);
    const order = this.#detected
      .map((_, i) => i)
      .sort((a, b) => (this.#detected[a] ?? 0) - (this.#detected[b] ?? 0));
    const detected = order.map((i) => this.#detected[i] ?? 0);
    const { tp, fp, fn } = compareBeats({ reference, detected, rate, flutter, learning });
    // Classes are compared in all of it: the detector's learning says nothing about them.
    const { pairs } = compareBeats({ reference, detected, rate, flutter, learning: 0 });
    const known = pairs
      .map(([own, found]) => [this.#classOf[own] ?? -1, this.#labels[order[found] ?? -1] ?? -1] as const)
      .filter(([truth, answer]) => truth >= 0 && answer >= 0);
    return { tp, fp, fn, learning, known, classes: this.#classes };
  }
}

/** Counts of one signal. */
export interface Counted extends BeatCounts {
  readonly learning: number;
  /** Annotated class and answer of each beat that has both. */
  readonly known: readonly (readonly [truth: number, answer: number])[];
  readonly classes: number;
}

/** Figures of one or more signals. */
export function referenceFigures(
  counted: readonly Counted[],
): Pick<StreamFigures, 'qrs' | 'accuracy' | 'balancedAccuracy'> {
  const [first] = counted;
  if (!first) return {};
  const sum = (of: keyof BeatCounts): number => counted.reduce((total, own) => total + own[of], 0);
  const counts = { tp: sum('tp'), fp: sum('fp'), fn: sum('fn') };
  const qrs = {
    ...detectionShares(counts),
    ...counts,
    learning: Math.max(...counted.map((own) => own.learning)),
  };
  const known = counted.flatMap((own) => own.known);
  if (known.length === 0) return { qrs };
  const predictions = Int32Array.from(known, ([, answer]) => answer);
  const labels = Int32Array.from(known, ([truth]) => truth);
  const { accuracy, balancedAccuracy } = accuracies(predictions, labels, first.classes);
  return { qrs, accuracy, balancedAccuracy };
}
