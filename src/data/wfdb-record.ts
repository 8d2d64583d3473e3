// The lead of a WFDB record that beats are cut from, in millivolts.
import { BedsideError } from '../util/index.ts';
import { openRecord, readSignal, type WfdbRecord } from './wfdb-segments.ts';

/** The lead that is taken where a record has it. */
export const LEAD = 'MLII';

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

/**
 * Reads a record's header and the lead `MLII`, else its first.
 * @throws BedsideError E_DATA for a malformed or damaged file, E_FILE for one that cannot be read
 */
export async function readLead(folder: string, name: string): Promise<Lead> {
  const record = await openRecord(folder, name);
  const lead = chooseLead(record);
  return {
    record: name,
    rate: record.rate,
    name: lead,
    isFallback: lead !== LEAD,
    signal: await readSignal(folder, record, lead),
  };
}

function chooseLead({ leads, name }: WfdbRecord): string {
  const lead = leads.includes(LEAD) ? LEAD : leads[0];
  if (lead !== undefined) return lead;
  throw new BedsideError('E_DATA', `record ${name} has no signals`, {
    hint: 'leave it out with --records',
  });
}
