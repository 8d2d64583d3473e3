// WFDB record headers (`.hea`, header(5) of the WFDB Application Guide): one record line, one line per signal.
import { BedsideError } from '../util/index.ts';

/** Signal formats that are read. */
export type WfdbFormat = 212 | 16;

export interface WfdbSignal {
  readonly file: string;
  readonly format: WfdbFormat;
  readonly samplesPerFrame: number;
  /** Frames by which this signal lags in the file. */
  readonly skew: number;
  /** Bytes before the first sample of the file. */
  readonly offset: number;
  /** ADC units per physical unit. */
  readonly gain: number;
  /** The sample value of 0 physical units; the ADC zero unless the header says otherwise. */
  readonly baseline: number;
  readonly units: string;
  readonly description: string;
}

export interface WfdbHeader {
  readonly record: string;
  /** Frames per second. */
  readonly rate: number;
  /** Frames, or undefined when the signal file tells. */
  readonly frames: number | undefined;
  readonly signals: readonly WfdbSignal[];
}

const DEFAULT_RATE = 250;
const DEFAULT_GAIN = 200;
const NUMBER = String.raw`[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?`;
const RECORD = /^(?<record>[^\s/\\]+)(?<segments>\/\d+)?\s+(?<signals>\d+)(?:\s+(?<rest>.*))?$/;
const RATE = new RegExp(`^(?<rate>${NUMBER})(?:/${NUMBER}(?:\\(${NUMBER}\\))?)?$`);
const FORMAT = /^(?<format>\d+)(?:x(?<perFrame>\d+))?(?::(?<skew>\d+))?(?:\+(?<offset>\d+))?$/;
const GAIN = new RegExp(`^(?<gain>${NUMBER})(?:\\((?<baseline>[+-]?\\d+)\\))?(?:/(?<units>\\S+))?$`);

/**
 * Parses a header file.
 * @param name the record, for error messages
 * @throws BedsideError E_DATA
 */
export function parseWfdbHeader(text: string, name: string): WfdbHeader {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.trimStart().startsWith('#'));
  const first = RECORD.exec((lines[0] ?? '').trim())?.groups;
  const own = (lines[0] ?? '').trim().split(/\s+/)[0] ?? '';
  if (/[/\\]/.test(own) && !/^[^/\\]+\/\d+$/.test(own))
    throw wrong(name, `it names the record '${own}', in another folder: records are read from their own`);
  if (!first?.record) throw wrong(name, 'its first line is not a record line');
  if (first.segments !== undefined) throw wrong(name, 'records of several segments are not read');
  const [rateText, framesText] = (first.rest ?? '').split(/\s+/);
  const rate = rateText ? Number(RATE.exec(rateText)?.groups?.rate) : DEFAULT_RATE;
  if (!(rate > 0)) throw wrong(name, 'its sampling rate is not a positive number');
  const frames = framesText ? Number(framesText) : 0;
  if (!Number.isSafeInteger(frames) || frames < 0)
    throw wrong(name, 'its number of samples is not a whole number');

  const count = Number(first.signals);
  if (lines.length - 1 < count) throw wrong(name, `expected ${count} signal lines, got ${lines.length - 1}`);
  const signals = lines.slice(1, count + 1).map((line, i) => parseSignal(line.trim(), i, name));
  return { record: first.record, rate, frames: frames === 0 ? undefined : frames, signals };
}

function parseSignal(line: string, index: number, name: string): WfdbSignal {
  const [file, formatText, gainText, , zeroText, , , , ...description] = line.split(/\s+/);
  const what = `signal line ${index + 1}`;
  if (!file || /[/\\]/.test(file)) throw wrong(name, `${what} does not name a file of its folder`);
  const format = FORMAT.exec(formatText ?? '')?.groups;
  if (!format) throw wrong(name, `${what} has no signal format`);
  const code = Number(format.format);
  if (code !== 212 && code !== 16) {
    throw wrong(name, `${what}: signal format ${code} is not one of 212, 16`);
  }
  const samplesPerFrame = Number(format.perFrame ?? 1);
  if (samplesPerFrame < 1) throw wrong(name, `${what} has no samples in a frame`);
  const gain = GAIN.exec(gainText ?? '0')?.groups;
  const zero = Number(zeroText ?? 0);
  if (!gain || !Number.isInteger(zero)) throw wrong(name, `${what}: its gain or ADC zero is not a number`);
  const perUnit = Number(gain.gain);
  return {
    file,
    format: code,
    samplesPerFrame,
    skew: Number(format.skew ?? 0),
    offset: Number(format.offset ?? 0),
    gain: perUnit === 0 ? DEFAULT_GAIN : perUnit,
    baseline: gain.baseline === undefined ? zero : Number(gain.baseline),
    units: gain.units ?? 'mV',
    description: description.join(' '),
  };
}

function wrong(name: string, what: string): BedsideError {
  return new BedsideError('E_DATA', `cannot read the header of record ${name}: ${what}`, {
    hint: 'a header is text as in the WFDB format: a record line, then one line per signal',
  });
}
