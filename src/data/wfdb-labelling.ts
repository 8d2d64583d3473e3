// What the windows of a folder of records are labelled by: the beat that they are around, or the rhythm that they are
// in.
import { BedsideError } from '../util/index.ts';
import type { DatasetOptions } from './dataset.ts';
import { BEAT_CLASSES } from './ecg-beats.ts';
import { ANNOTATORS, type Marks } from './wfdb-marks.ts';

/** By beats, or by rhythms of these names. */
export type Labelling =
  | { readonly by: 'beat'; readonly names: readonly string[] }
  | { readonly by: 'rhythm'; readonly names: readonly string[] };

const BY_BEAT: Labelling = { by: 'beat', names: BEAT_CLASSES };

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
  if (rhythms.length === 0) return BY_BEAT;
  const { around } = contract.signal?.window ?? {};
  if (around !== undefined) return around === 'segment' ? byRhythm : BY_BEAT;
  if (contract.signal?.labels !== undefined) return BY_BEAT;
  const called = new Set([...(contract.classes ?? []), ...Object.keys(contract.classMap ?? {})]);
  const shared = (names: readonly string[]): number => names.filter((name) => called.has(name)).length;
  if (shared(rhythms) !== shared(BEAT_CLASSES))
    return shared(rhythms) > shared(BEAT_CLASSES) ? byRhythm : BY_BEAT;
  // Files of beats alone (.qrs) beside one of rhythms know no kinds of beats.
  const kinds = beats.some(({ annotator }) => annotator === 'atr');
  return kinds || classes === BEAT_CLASSES.length ? BY_BEAT : byRhythm;
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
