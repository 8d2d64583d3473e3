// What annotation files mark: heartbeats, and where the rhythm changes.
import { join } from 'node:path';
import { BedsideError } from '../util/index.ts';
import { readFileChecked } from '../util/internal.ts';
import { annotationResolution, parseAnnotations } from './wfdb-annotations.ts';

/** Annotation symbols of each class of ANSI/AAMI EC57, in the order of `BEAT_CLASSES`; all others are no beats. */
const BEAT_SYMBOLS: readonly string[] = ['NLRej', 'AaJS', 'VE', 'F', '/fQ'];

/** All of these, one by one. */
export const SYMBOLS: readonly string[] = [...BEAT_SYMBOLS.join('')];

/** The class of each of these. */
export const BEAT_SYMBOL_CLASSES: readonly number[] = SYMBOLS.map((symbol) =>
  BEAT_SYMBOLS.findIndex((symbols) => symbols.includes(symbol)),
);

/** Endings of annotation files, in the order in which beats are looked for. */
export const ANNOTATORS: readonly string[] = [
  'atr',
  'qrsc',
  'ecg',
  'qrs',
  'ari',
  'ann',
  'beat',
  'gqrs',
  'wqrs',
];

/** An annotated R peak, or another frame around which or from which a window is cut. */
export interface Peak {
  readonly frame: number;
  readonly label: number;
  /** Index among `SYMBOLS` of a beat's annotation. */
  readonly symbol?: number | undefined;
  /** Index of its annotation in the file, or of its window in the record. */
  readonly annotation: number;
}

/** A frame from which the rhythm is another. */
export interface RhythmChange {
  readonly frame: number;
  /** `AFIB`, `N`, ...; undefined where none is marked from there on. */
  readonly rhythm: string | undefined;
}

/** A part of a record, both ends inside. */
export interface MarkedEpisode {
  readonly from: number;
  readonly to: number;
}

/** What annotation files of a record mark. */
export interface Marks {
  readonly peaks: readonly Peak[];
  readonly rhythms: readonly RhythmChange[];
  /** Ventricular flutter or fibrillation (`[` to `]`); one that nothing ends lasts forever. */
  readonly flutter: readonly MarkedEpisode[];
  /** Ending of the file that the peaks are from; without peaks that of the first file. */
  readonly annotator: string;
}

/**
 * The marks of a record: peaks from the first file that marks any, changes of rhythm from the first that has those.
 * Undefined when it has no annotation file.
 * @param rate frames per second
 * @throws BedsideError E_DATA for a damaged file
 */
export async function readMarks(folder: string, record: string, rate: number): Promise<Marks | undefined> {
  let first: Marks | undefined;
  let rhythms: readonly RhythmChange[] = [];
  for (const annotator of ANNOTATORS) {
    const marks = await readFile(folder, record, rate, annotator);
    if (!marks) continue;
    if (rhythms.length === 0) rhythms = marks.rhythms;
    if (marks.peaks.length > 0) return { ...marks, rhythms };
    first ??= marks;
  }
  return first && { ...first, rhythms };
}

async function readFile(
  folder: string,
  record: string,
  rate: number,
  annotator: string,
): Promise<Marks | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFileChecked(join(folder, `${record}.${annotator}`), 'annotations');
  } catch (error) {
    const { cause } = error as BedsideError;
    if ((cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return undefined;
    throw withoutAnnotations(folder, record, error);
  }
  const annotations = parseAnnotations(bytes, record);
  const resolution = annotationResolution(annotations);
  const framesPerTick = resolution === undefined ? 1 : rate / resolution;
  const peaks: Peak[] = [];
  const rhythms: RhythmChange[] = [];
  const flutter: { from: number; to: number }[] = [];
  for (const [annotation, { time, symbol, aux }] of annotations.entries()) {
    const frame = Math.round(time * framesPerTick);
    const label = BEAT_SYMBOLS.findIndex((symbols) => symbols.includes(symbol));
    if (label >= 0) peaks.push({ frame, label, annotation, symbol: SYMBOLS.indexOf(symbol) });
    // A rhythm begins with a bracket: `(AFIB`.
    else if (symbol === '+' && aux?.startsWith('(')) rhythms.push({ frame, rhythm: aux.slice(1).trim() });
    else if (symbol === '[') flutter.push({ from: frame, to: Number.POSITIVE_INFINITY });
    else if (symbol === ']') {
      const open = flutter.at(-1);
      if (open && open.to > frame) open.to = frame;
    }
  }
  return { peaks, rhythms, flutter, annotator };
}

/**
 * Windows, each within one rhythm, as peaks: their first frame, and the index of their rhythm.
 * @param frames of the record
 * @param length frames that a window spans; may be a fraction
 * @param names of the rhythms
 * @param step frames from one window to the next
 */
export function rhythmWindows(
  rhythms: readonly RhythmChange[],
  frames: number,
  length: number,
  names: readonly string[],
  step = length,
): {
  readonly windows: Peak[];
  readonly outside: { readonly before: number; readonly within: number };
  readonly mixed: number;
} {
  const windows: Peak[] = [];
  let [before, within, mixed, next] = [0, 0, 0, 0];
  let rhythm: string | undefined;
  for (const { frame, annotation } of windowsAfterEachOther(frames, length, step, 0)) {
    const end = Math.round(annotation * step + length);
    for (; (rhythms[next]?.frame ?? frames) <= frame; next++) rhythm = rhythms[next]?.rhythm;
    if ((rhythms[next]?.frame ?? frames) < end) mixed++;
    else if (rhythm !== undefined) windows.push({ frame, label: names.indexOf(rhythm), annotation });
    else if (next === 0) before++;
    else within++;
  }
  return { windows, outside: { before, within }, mixed };
}

/**
 * Windows one after the other, as peaks: their first frame.
 * @param length frames that a window spans; may be a fraction
 * @param step frames from one window to the next
 */
export function windowsAfterEachOther(frames: number, length: number, step: number, label: number): Peak[] {
  const windows: Peak[] = [];
  for (let i = 0; Math.round(i * step + length) <= frames; i++) {
    windows.push({ frame: Math.round(i * step), label, annotation: i });
  }
  return windows;
}

/** Changes of rhythm in other frames. */
export function rhythmsAt(rhythms: readonly RhythmChange[], factor: number): readonly RhythmChange[] {
  if (factor === 1) return rhythms;
  return rhythms.map(({ frame, rhythm }) => ({ frame: Math.round(frame * factor), rhythm }));
}

/** An E_DATA error about a record whose beats nothing marks. */
export function withoutAnnotations(folder: string, record: string, cause?: unknown): BedsideError {
  return new BedsideError(
    'E_DATA',
    `record ${record} has no readable annotations ${record}.atr in ${folder}`,
    {
      hint: 'beats are cut around annotated R peaks: put the .atr file beside the header, or use --records',
      cause,
    },
  );
}
