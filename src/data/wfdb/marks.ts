// What annotation files beside a record mark.
import { join } from 'node:path';
import { BedsideError } from '../../util/index.ts';
import { readFileChecked } from '../../util/internal.ts';
import {
  ANNOTATORS,
  BEAT_SYMBOLS,
  type Marks,
  type Peak,
  type RhythmChange,
  SYMBOLS,
} from '../recordings/marks.ts';
import { annotationResolution, parseAnnotations } from './annotations.ts';

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
  // An interval may lead back: annotations that were added later stand behind.
  const inTime = [...annotations.entries()].sort(([, a], [, b]) => a.time - b.time);
  for (const [annotation, { time, symbol, aux }] of inTime) {
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
