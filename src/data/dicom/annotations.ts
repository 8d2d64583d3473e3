// What the Waveform Annotation Sequence marks (PS3.3, C.10.10): beats and rhythms by codes, and texts of people.
import type { DataSet } from 'dicom-parser';
import type { EdfAnnotation } from '../edf/annotations.ts';
import { SYMBOLS } from '../recordings/marks.ts';
import { codedMark, codeName } from './beat-codes.ts';
import { itemsOf, shortOf, textOf } from './object.ts';

/** Marks of a waveform, and what was not read. */
export interface WaveformMarks {
  /**
   * Beats and rhythms as WFDB writes them, and texts, by seconds from the start of their group, in order. A text is whatever
   * people write: it may name a patient.
   */
  readonly annotations: readonly EdfAnnotation[];
  /** How many annotations have a code that is not read, by its name, such as `MDC 10:1024`. */
  readonly unread: ReadonlyMap<string, number>;
}

/** A point of time, or a stretch; in seconds. */
interface Range {
  readonly time: number;
  readonly seconds: number | undefined;
}

/** An object of a day has as many beats. */
const MOST = 200_000;
/** Codes that are named; more are counted together. */
const MOST_NAMES = 20;
/** Of an item: what it is (Concept Code Sequence) before what kind of thing it is (Concept Name Code Sequence). */
const CODES = ['x0040a168', 'x0040a043'];
const NO_PEAK = 'of a beat, without its R peak';

/**
 * Reads the marks by samples of a group, of which the first is 1, or by seconds. The same mark in several leads is read once.
 * A beat is a point: what marks a beat as a stretch does not say where its R peak is.
 * @param rates of the groups, samples a second
 */
export function marksOfWaveform(elements: DataSet, rates: readonly number[]): WaveformMarks {
  const found = new Map<string, EdfAnnotation>();
  const unread = new Map<string, number>();
  const refuse = (own: string): void => {
    const name = unread.has(own) || unread.size < MOST_NAMES ? own : 'others';
    unread.set(name, (unread.get(name) ?? 0) + 1);
  };
  for (const item of itemsOf(elements, 'x0040b020').slice(0, MOST)) {
    const codes = CODES.flatMap((tag) => itemsOf(item, tag)).map(codeOf);
    const coded = codes
      .map(({ scheme, value, meaning }) => codedMark(scheme, value, meaning))
      .find((own) => own !== undefined);
    const [first] = codes;
    if (coded === undefined && first) refuse(codeName(first.scheme, first.value));
    const text = coded ?? textOf(item, 'x00700006') ?? '';
    const ranges = rangesOf(item, rates).filter(({ time }) => Number.isFinite(time));
    if (SYMBOLS.includes(text) && ranges.some(({ seconds }) => seconds !== undefined)) refuse(NO_PEAK);
    else if (text !== '')
      for (const { time, seconds } of ranges) found.set(`${time} ${text}`, { time, seconds, text });
  }
  return { annotations: [...found.values()].sort((a, b) => a.time - b.time), unread };
}

function codeOf(item: DataSet): {
  readonly scheme: string;
  readonly value: string;
  readonly meaning: string;
} {
  return {
    scheme: textOf(item, 'x00080102') ?? '',
    value: textOf(item, 'x00080100') ?? '',
    meaning: textOf(item, 'x00080104') ?? '',
  };
}

/** By the Temporal Range Type: points, stretches of two ends each, or what lasts from a point on. */
function rangesOf(item: DataSet, rates: readonly number[]): Range[] {
  const times = timesOf(item, rates);
  const type = textOf(item, 'x0040a130') ?? 'POINT';
  if (type === 'SEGMENT' || type === 'MULTISEGMENT')
    return Array.from({ length: Math.floor(times.length / 2) }, (_, i) => {
      const [time, end] = [times[2 * i] ?? Number.NaN, times[2 * i + 1] ?? Number.NaN];
      return { time, seconds: Math.max(0, end - time) };
    });
  // What only ends at a point began where nothing says.
  if (type === 'END') return [];
  return times.map((time) => ({ time, seconds: undefined }));
}

function timesOf(item: DataSet, rates: readonly number[]): number[] {
  const rate = rates[(shortOf(item, 'x0040a0b0') ?? 1) - 1] ?? 0;
  const positions = item.elements.x0040a132;
  const count = Math.min(MOST, positions ? Math.floor(positions.length / 4) : 0);
  if (count > 0 && rate > 0)
    return Array.from({ length: count }, (_, i) => ((item.uint32('x0040a132', i) ?? 0) - 1) / rate);
  return (item.string('x0040a138') ?? '')
    .split('\\', MOST)
    .filter((own) => own.trim() !== '')
    .map(Number);
}
