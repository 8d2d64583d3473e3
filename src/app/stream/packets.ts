// Packets as text: one JSON object a line, `{"at": 12.5, "rate": 250, "lead": "II", "samples": [0.01, null, …]}`.
import type { SignalPacket } from '../../signal/index.ts';
import { BedsideError } from '../../util/index.ts';

/** A packet, and the bed that it names. */
export interface BedPacket extends SignalPacket {
  /** Undefined: the source has one bed. */
  readonly bed: string | undefined;
}

/** Bytes of a line. */
export const MOST_LINE = 2 ** 20;
const MOST_SAMPLES = 100_000;
const MOST_LEADS = 32;
const MOST_NAME = 64;
const PER_MILLIVOLT: Readonly<Record<string, number>> = { mV: 1, uV: 1e-3, µV: 1e-3, V: 1e3 };

/**
 * Reads a packet: `samples` of one lead (`lead`, default `ECG`), or `leads` with the samples of each by name; numbers in
 * `unit` (mV, uV or V; default mV), null where one is missing. `at` is the time of the first sample in seconds by any
 * clock, `rate` samples a second, `bed` a name. Other fields are ignored.
 * @throws BedsideError E_DATA, with nothing of the packet's content in the message
 */
export function parsePacket(text: string): BedPacket {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrong('it is no JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong('it is no JSON object');
  const { at, rate, bed, lead = 'ECG', unit = 'mV', samples, leads } = value as Record<string, unknown>;
  if (at !== undefined && !(typeof at === 'number' && Math.abs(at) < 1e12))
    throw wrong('`at` is no number of seconds');
  if (rate !== undefined && !(typeof rate === 'number' && rate > 0 && rate <= 1e6)) {
    throw wrong('`rate` is no number of samples a second');
  }
  if (bed !== undefined && !isName(bed)) throw wrong(`\`bed\` is no name of up to ${MOST_NAME} characters`);
  if (typeof unit !== 'string' || !Object.hasOwn(PER_MILLIVOLT, unit))
    throw wrong('`unit` is none of mV, uV and V');
  const factor = PER_MILLIVOLT[unit] ?? 1;
  return { at, rate, bed, leads: leadsOf(samples, lead, leads, factor) };
}

function leadsOf(samples: unknown, lead: unknown, leads: unknown, factor: number): Map<string, Float64Array> {
  if (samples !== undefined && leads !== undefined) throw wrong('it has both `samples` and `leads`');
  const given = samples === undefined ? leads : { [isName(lead) ? lead : '']: samples };
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw wrong('it has neither `samples` nor `leads` with the samples of each');
  }
  const entries = Object.entries(given as Record<string, unknown>);
  if (entries.length === 0 || entries.length > MOST_LEADS) throw wrong(`it has not 1 to ${MOST_LEADS} leads`);
  return new Map(
    entries.map(([name, values]) => {
      if (!isName(name)) throw wrong(`a lead has no name of up to ${MOST_NAME} characters`);
      return [name, samplesOf(values, factor)];
    }),
  );
}

function samplesOf(values: unknown, factor: number): Float64Array {
  if (!Array.isArray(values) || values.length === 0 || values.length > MOST_SAMPLES) {
    throw wrong(`a lead has not 1 to ${MOST_SAMPLES} samples`);
  }
  return Float64Array.from(values, (value: unknown) => {
    if (value === null) return Number.NaN;
    if (typeof value !== 'number' || !Number.isFinite(value))
      throw wrong('a sample is neither a number nor null');
    return value * factor;
  });
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MOST_NAME;
}

function wrong(what: string): BedsideError {
  return new BedsideError('E_DATA', `a packet cannot be read: ${what}`, {
    hint: 'a packet is {"at": 12.5, "rate": 250, "lead": "II", "samples": [0.01, …]}; docs/edges.md lists its fields',
  });
}
