// What the windows of a folder of records are labelled by: the beat that they are around, or the rhythm that they are
// in.
import { BedsideError } from '../util/index.ts';
import type { InputContract } from './contract/contract.ts';
import type { DatasetOptions } from './dataset.ts';
import { BEAT_CLASSES } from './ecg-beats.ts';
import { ANNOTATORS, type Marks, SYMBOLS } from './wfdb-marks.ts';

/** By beats (their class, or the symbol of their annotation), or by rhythms; and the names of the labels. */
export type Labelling =
  | { readonly by: 'beat'; readonly names: readonly string[]; readonly symbols?: boolean }
  | { readonly by: 'rhythm'; readonly names: readonly string[] };

const BY_CLASS: Labelling = { by: 'beat', names: BEAT_CLASSES };
const BY_SYMBOL: Labelling = { by: 'beat', names: SYMBOLS, symbols: true };

/** Beats by symbols where the contract says so, or calls all classes after symbols, and not all after AAMI's classes. */
function byBeat({ signal, classes, classMap }: InputContract): Labelling {
  if (signal?.labels) return signal.labels === 'symbols' ? BY_SYMBOL : BY_CLASS;
  const called = classMap ? Object.keys(classMap) : (classes ?? []);
  const isAmong = (names: readonly string[]): boolean => called.every((name) => names.includes(name));
  return isAmong(SYMBOLS) && !isAmong(BEAT_CLASSES) ? BY_SYMBOL : BY_CLASS;
}

/**
 * Decides by what a network's classes are called, and by what the records are annotated with. Where both would do, it
 * is beats.
 * @param marks of the records that are read
 * @param all of all records of the folder, so that rhythms are numbered alike whichever are read
 * @throws BedsideError E_DATA when neither is annotated
 */
export function labellingOf(
  marks: readonly Marks[],
  all: readonly Marks[],
  { contract = {}, classes }: DatasetOptions,
  folder: string,
): Labelling {
  const rhythms = [...new Set(all.flatMap((one) => one.rhythms.map(({ rhythm }) => rhythm)))].sort();
  const beats = marks.filter(({ peaks }) => peaks.length > 0);
  if (beats.length === 0 && rhythms.length === 0) {
    throw new BedsideError('E_DATA', `no annotation of ${folder} (.atr) marks a beat, or a rhythm by name`, {
      hint: `beats are looked for in .${ANNOTATORS.join(', .')}: put such a file beside each header, or rename those of another ending`,
    });
  }
  const byRhythm: Labelling = { by: 'rhythm', names: rhythms };
  if (beats.length === 0) return byRhythm;
  const beat = byBeat(contract);
  if (rhythms.length === 0) {
    if (contract.signal?.window?.around !== 'segment') return beat;
    throw new BedsideError(
      'E_DATA',
      `no annotation of ${folder} marks a rhythm, by which segments are labelled`,
      {
        hint: 'cut windows around beats ("around": "beat"), or give segments and their labels in an archive',
      },
    );
  }
  const { around } = contract.signal?.window ?? {};
  if (around !== undefined) return around === 'segment' ? byRhythm : beat;
  if (contract.signal?.labels !== undefined || beat === BY_SYMBOL) return beat;
  const called = new Set([...(contract.classes ?? []), ...Object.keys(contract.classMap ?? {})]);
  const shared = (names: readonly string[]): number => names.filter((name) => called.has(name)).length;
  if (shared(rhythms) !== shared(BEAT_CLASSES))
    return shared(rhythms) > shared(BEAT_CLASSES) ? byRhythm : beat;
  // Files of beats alone (.qrs) beside one of rhythms know no kinds of beats.
  const kinds = beats.some(({ annotator }) => annotator === 'atr');
  return kinds || classes === BEAT_CLASSES.length ? beat : byRhythm;
}

/** A sentence about labels that are rhythms. */
export function tellLabelling({ by, names }: Labelling, length: number, hasBeats: boolean): string[] {
  if (by === 'beat') return [];
  const why = hasBeats ? '' : ', as no annotation marks a beat';
  return [
    `labels are rhythms, of windows of ${length} samples one after the other${why}; in order: ${names.join(', ')} ` +
      '(--class-map says which class each one is)',
  ];
}
