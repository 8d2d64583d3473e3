// What annotations mark: heartbeats, and where the rhythm changes; and windows that follow from it.

import { BedsideError } from '../../util/index.ts';

/** Annotation symbols of each class of ANSI/AAMI EC57, in the order of `BEAT_CLASSES`; all others are no beats. */
export const BEAT_SYMBOLS: readonly string[] = ['NLRej', 'AaJS', 'VE', 'F', '/fQ'];

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
  const changes = changesOf(rhythms);
  let [before, within, mixed, next] = [0, 0, 0, 0];
  let rhythm: string | undefined;
  for (const { frame, annotation } of windowsAfterEachOther(frames, length, step, 0)) {
    const end = Math.round(annotation * step + length);
    for (; (changes[next]?.frame ?? frames) <= frame; next++) rhythm = changes[next]?.rhythm;
    if ((changes[next]?.frame ?? frames) < end) mixed++;
    else if (rhythm !== undefined) windows.push({ frame, label: names.indexOf(rhythm), annotation });
    else if (next === 0) before++;
    else within++;
  }
  return { windows, outside: { before, within }, mixed };
}

/** A day at 360 Hz has as many windows where each moves on by 15 samples. */
const MOST_WINDOWS = 2 ** 21;

/** Those at which the rhythm is another: scorers repeat it, for each epoch of a night. Of one frame the last counts. */
function changesOf(rhythms: readonly RhythmChange[]): readonly RhythmChange[] {
  const last = rhythms.filter(({ frame }, i) => rhythms[i + 1]?.frame !== frame);
  return last.filter(({ rhythm }, i) => i === 0 || last[i - 1]?.rhythm !== rhythm);
}

/**
 * Windows one after the other, as peaks: their first frame.
 * @throws BedsideError E_DATA for more than memory is worth
 * @param length frames that a window spans; may be a fraction
 * @param step frames from one window to the next
 */
export function windowsAfterEachOther(frames: number, length: number, step: number, label: number): Peak[] {
  const count = Math.floor((frames - length) / step) + 1;
  if (count > MOST_WINDOWS) {
    throw new BedsideError('E_DATA', `a recording gives ${count} windows, more than ${MOST_WINDOWS}`, {
      hint: 'move on by more samples from one segment to the next: signal.window.step of the contract',
    });
  }
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
