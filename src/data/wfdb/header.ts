// WFDB record headers (`.hea`, header(5) of the WFDB Application Guide): one record line, one line per signal.
import { BedsideError } from '../../util/index.ts';

export interface WfdbSignal {
  readonly file: string;
  /** Its number; only some are read (`formats.ts`). */
  readonly format: number;
  readonly samplesPerFrame: number;
  /** Frames by which this signal lags in the file. */
  readonly skew: number;
  /** Bytes before the first sample of the file. */
  readonly offset: number;
  /** ADC units per physical unit; 200 where the header has none. */
  readonly gain: number;
  /** Whether the header says the gain. */
  readonly hasGain: boolean;
  /** The sample value of 0 physical units; the ADC zero unless the header says otherwise. */
  readonly baseline: number;
  /** The sample before the first, for formats of differences. */
  readonly initial: number;
  readonly units: string;
  readonly description: string;
}

/** A part of a record of several segments. */
export interface WfdbSegment {
  /** Name of the segment's own record; undefined for a gap. */
  readonly record: string | undefined;
  readonly frames: number;
}

export interface WfdbHeader {
  readonly record: string;
  /** Frames per second. */
  readonly rate: number;
  /** Frames, or undefined when the signal file tells. */
  readonly frames: number | undefined;
  /** Empty for a record of several segments, which have their own. */
  readonly signals: readonly WfdbSignal[];
  /** The segments in time order, if there are several; one of 0 frames only names signals (a layout). */
  readonly segments?: readonly WfdbSegment[] | undefined;
}

const DEFAULT_RATE = 250;
const DEFAULT_GAIN = 200;
// Each digit has one place in it: a long number that ends wrongly is refused at once.
const NUMBER = String.raw`[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?`;
const RECORD = /^(?<record>\S+?)(?:\/(?<segments>\d+))?\s+(?<signals>\d+)(?:\s+(?<rest>.*))?$/;
const SEGMENTED = /^\s*[^\s/\\]+\/\d+\s/;
const SEGMENT = /^(?<record>\S+)\s+(?<frames>\d+)$/;
const RATE = new RegExp(`^(?<rate>${NUMBER})(?:/${NUMBER}(?:\\(${NUMBER}\\))?)?$`);
const FORMAT = /^(?<format>\d+)(?:x(?<perFrame>\d+))?(?::(?<skew>\d+))?(?:\+(?<offset>\d+))?$/;
const GAIN = new RegExp(`^(?<gain>${NUMBER})(?:\\((?<baseline>[+-]?\\d+)\\))?(?:/(?<units>\\S+))?$`);

/**
 * Parses a header file.
 * @param name the record, for error messages
 * @throws BedsideError E_DATA
 */
export function parseWfdbHeader(text: string, name: string): WfdbHeader {
  const lines = recordLines(text);
  const first = RECORD.exec((lines[0] ?? '').trim())?.groups;
  if (!first?.record) throw wrong(name, tellFirstLine(lines[0]));
  const [rateText, framesText] = (first.rest ?? '').split(/\s+/);
  const rate = rateText ? Number(RATE.exec(rateText)?.groups?.rate) : DEFAULT_RATE;
  if (!(rate > 0 && Number.isFinite(rate))) throw wrong(name, 'its sampling rate is not a positive number');
  const frames = framesText ? Number(framesText) : 0;
  if (!Number.isSafeInteger(frames) || frames < 0)
    throw wrong(name, 'its number of samples is not a whole number');

  const { record } = first;
  // `10/00123 1 500` with one signal line is a record in a folder of that number, not one of 123 segments.
  const isFolder = lines.length - 1 === Number(first.signals) && Number(first.segments) >= lines.length;
  if (first.segments !== undefined && !isFolder) {
    const segments = parseSegments(lines.slice(1), Number(first.segments), name);
    const total = segments.reduce((sum, segment) => sum + segment.frames, 0);
    return { record, rate, frames: total, signals: [], segments };
  }
  const count = Number(first.signals);
  if (lines.length - 1 < count) throw wrong(name, `expected ${count} signal lines, got ${lines.length - 1}`);
  const signals = lines.slice(1, count + 1).map((line, i) => parseSignal(line.trim(), i, name));
  return { record, rate, frames: frames === 0 ? undefined : frames, signals };
}

/** The lines of a header that say something: neither empty nor comments. */
function recordLines(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.trimStart().startsWith('#'));
}

/** Whether a header is that of a record of several segments, by its first line. */
export function saysSegments(text: string): boolean {
  return SEGMENTED.test(recordLines(text)[0] ?? '');
}

/** What is wrong with a first line. */
function tellFirstLine(line: string | undefined): string {
  if (line === undefined) return 'it has no record line';
  const words = line.trim().split(/\s+/);
  if (words.length < 2) return 'its first line is not a record line: it has no number of signals';
  return `its first line is not a record line: '${words[1]}' is not a number of signals`;
}

function parseSegments(lines: readonly string[], count: number, name: string): WfdbSegment[] {
  if (count < 1 || lines.length < count)
    throw wrong(name, `expected ${count} segment lines, got ${lines.length}`);
  return lines.slice(0, count).map((line, i) => {
    const segment = SEGMENT.exec(line.trim())?.groups;
    if (!segment) throw wrong(name, `segment line ${i + 1} is not a record name and a number of samples`);
    const { record } = segment;
    if (record !== '~' && leavesFolder(record)) throw wrong(name, `segment line ${i + 1} leaves its folder`);
    return { record: record === '~' ? undefined : record, frames: Number(segment.frames) };
  });
}

/** Whether a path may lead out of the folder in which it stands. */
function leavesFolder(path = ''): boolean {
  return /^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)/.test(path);
}

function parseSignal(line: string, index: number, name: string): WfdbSignal {
  const [file, formatText, gainText, , zeroText, initialText, , , ...description] = line.split(/\s+/);
  const what = `signal line ${index + 1}`;
  if (!file || leavesFolder(file)) throw wrong(name, `${what} does not name a file of its folder`);
  const format = FORMAT.exec(formatText ?? '')?.groups;
  if (!format) throw wrong(name, `${what} has no signal format`);
  const samplesPerFrame = Number(format.perFrame ?? 1);
  if (samplesPerFrame < 1) throw wrong(name, `${what} has no samples in a frame`);
  const gain = GAIN.exec(gainText ?? '0')?.groups;
  const zero = Number(zeroText ?? 0);
  if (!gain || !Number.isInteger(zero)) throw wrong(name, `${what}: its gain or ADC zero is not a number`);
  const perUnit = Number(gain.gain);
  if (!Number.isFinite(perUnit)) throw wrong(name, `${what}: its gain is too large a number`);
  const initial = Number(initialText ?? zero);
  return {
    file,
    format: Number(format.format),
    samplesPerFrame,
    skew: Number(format.skew ?? 0),
    offset: Number(format.offset ?? 0),
    gain: perUnit === 0 ? DEFAULT_GAIN : perUnit,
    hasGain: perUnit !== 0,
    baseline: gain.baseline === undefined ? zero : Number(gain.baseline),
    initial: Number.isInteger(initial) ? initial : zero,
    units: gain.units ?? 'mV',
    description: description.join(' '),
  };
}

function wrong(name: string, what: string): BedsideError {
  return new BedsideError('E_DATA', `cannot read the header of record ${name}: ${what}`, {
    hint: 'a header is text as in the WFDB format: a record line, then one line per signal',
  });
}
