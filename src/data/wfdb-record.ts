// One record of a WFDB folder: its lead in millivolts, and its annotated beats.
import { join } from 'node:path';
import { BedsideError } from '../util/index.ts';
import { readFileChecked } from '../util/internal.ts';
import { annotationResolution, parseAnnotations } from './wfdb-annotations.ts';
import { parseWfdbHeader, type WfdbSignal } from './wfdb-header.ts';
import { decodeSignal } from './wfdb-signals.ts';

/** The lead that is taken where a record has it. */
export const LEAD = 'MLII';

/** Annotation symbols of each class of ANSI/AAMI EC57, in the order of `BEAT_CLASSES`; all others are no beats. */
const BEAT_SYMBOLS: readonly string[] = ['NLRej', 'AaJS', 'VE', 'F', '/fQ'];

/** A record's signal of one lead. */
export interface Lead {
  readonly record: string;
  /** Frames per second. */
  readonly rate: number;
  /** The lead's name as the header has it. */
  readonly name: string;
  /** Whether it is another than the one that is looked for, as the record has none. */
  readonly isFallback: boolean;
  /** Millivolts, one a frame; missing ones are NaN. */
  readonly signal: Float64Array;
}

/** An annotated R peak. */
export interface Peak {
  readonly frame: number;
  readonly label: number;
  /** Index of its annotation in the file. */
  readonly annotation: number;
}

/**
 * Reads a record's header and the lead `MLII`, else its first.
 * @throws BedsideError E_DATA for a malformed or damaged file, E_FILE for one that cannot be read
 */
export async function readLead(folder: string, record: string): Promise<Lead> {
  const text = await readFileChecked(join(folder, `${record}.hea`), 'header', { maxBytes: 2 ** 20 });
  const header = parseWfdbHeader(Buffer.from(text).toString('latin1'), record);
  const lead = chooseLead(header.signals, record);
  const content = await readFileChecked(join(folder, lead.file), `signal file of record ${record}`);
  return {
    record,
    rate: header.rate,
    name: lead.description || 'without a name',
    isFallback: lead.description !== LEAD,
    signal: decodeSignal(header, lead, content),
  };
}

function chooseLead(signals: readonly WfdbSignal[], record: string): WfdbSignal {
  const lead = signals.find((signal) => signal.description === LEAD) ?? signals[0];
  if (lead) return lead;
  throw new BedsideError('E_DATA', `record ${record} has no signals`, {
    hint: 'leave it out with --records',
  });
}

/**
 * The annotated beats of a record, in the order of its annotation file; undefined when it has none.
 * @throws BedsideError E_DATA for a damaged file
 */
export async function readPeaks(folder: string, { record, rate }: Lead): Promise<Peak[] | undefined> {
  const path = join(folder, `${record}.atr`);
  let bytes: Uint8Array;
  try {
    bytes = await readFileChecked(path, 'annotations');
  } catch (error) {
    const { cause } = error as BedsideError;
    if ((cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return undefined;
    throw withoutAnnotations(folder, record, error);
  }
  const annotations = parseAnnotations(bytes, record);
  const resolution = annotationResolution(annotations);
  const framesPerTick = resolution === undefined ? 1 : rate / resolution;
  const peaks: Peak[] = [];
  for (const [annotation, { time, symbol }] of annotations.entries()) {
    const label = BEAT_SYMBOLS.findIndex((symbols) => symbols.includes(symbol));
    if (label >= 0) peaks.push({ frame: Math.round(time * framesPerTick), label, annotation });
  }
  return peaks;
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
