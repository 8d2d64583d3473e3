// What the windows of recordings are labelled by: the beat that they are around, the rhythm that they are in, or what a
// list says of their record.
import { BedsideError } from '../../util/index.ts';
import type { InputContract } from '../contract/contract.ts';
import type { DatasetOptions } from '../dataset.ts';
import { inOrder } from '../labels/list.ts';
import { BEAT_CLASSES } from '../synthetic/ecg-beats.ts';
import { ANNOTATORS, type Marks, SYMBOLS } from './marks.ts';
import type { ListedRecord } from './record-patients.ts';

/**
 * By beats (their class, or the symbol of their annotation), by rhythms, by a list of records, or not at all; and the
 * names of the labels.
 */
export type Labelling =
  | { readonly by: 'beat'; readonly names: readonly string[]; readonly symbols?: boolean }
  | { readonly by: 'rhythm' | 'record' | 'nothing'; readonly names: readonly string[] };

/** What may label windows where annotations do not. */
interface Otherwise {
  /** The data's path. */
  readonly path: string;
  readonly listed: ReadonlyMap<string, ListedRecord>;
  /** Whether windows may be without labels. */
  readonly unlabelled: boolean;
}

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
  otherwise: Otherwise,
): Labelling {
  const { path: folder } = otherwise;
  const rhythms = [
    ...new Set(all.flatMap((one) => one.rhythms.flatMap(({ rhythm }) => rhythm ?? []))),
  ].sort();
  const beats = marks.filter(({ peaks }) => peaks.length > 0);
  if (beats.length === 0 && rhythms.length === 0) {
    const found = withoutMarks(otherwise, contract);
    if (found) return found;
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
  const kinds = beats.some(({ annotator }) => annotator === 'atr' || annotator === 'edf');
  return kinds || classes === BEAT_CLASSES.length ? beat : byRhythm;
}

/**
 * The labels of records that a list gives, or none where the source allows that. Undefined where there is neither.
 * @throws BedsideError E_DATA where the network's windows are around beats, of which there are none
 */
function withoutMarks(
  { listed, unlabelled, path }: Otherwise,
  { signal }: InputContract,
): Labelling | undefined {
  const labels = inOrder([...listed.values()].flatMap(({ label }) => label ?? []));
  if (labels.length === 0 && !unlabelled) return undefined;
  if (signal?.window?.around !== 'beat')
    return { by: labels.length > 0 ? 'record' : 'nothing', names: labels };
  throw new BedsideError(
    'E_DATA',
    `no annotation of ${path} marks a beat, around which the network's windows are`,
    {
      hint: 'give recordings whose annotations mark beats, or cut segments ("around": "segment") in the contract',
    },
  );
}

/** A sentence about labels that are not of beats. */
export function tellLabelling(
  { by, names }: Labelling,
  length: number,
  hasBeats: boolean,
  path: string,
): string[] {
  if (by === 'beat') return [];
  const windows = `no annotation of ${path} marks a beat or a rhythm: samples are windows of ${length} one after the other`;
  if (by === 'record') return [`${windows}, labelled by the list of records; in order: ${names.join(', ')}`];
  if (by === 'nothing') return [`${windows}, without labels`];
  const why = hasBeats ? '' : ', as no annotation marks a beat';
  return [
    `labels are rhythms, of windows of ${length} samples one after the other${why}; in order: ${names.join(', ')} ` +
      '(--class-map says which class each one is)',
  ];
}
