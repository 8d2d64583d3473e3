// The leads of a WFDB record that windows are cut from, in the units of the network.
import { BedsideError, must } from '../../util/index.ts';
import { chooseLeads, type Lead } from '../recordings/source.ts';
import { type SignalTarget, unitFactor } from '../recordings/steps.ts';
import { leadGuess, nameOf, openRecord, readSignal, type WfdbRecord } from './segments.ts';
import { stepsPerMillivolt } from './signals.ts';

/**
 * Reads a record's header and the leads that a network reads, each under the first of its names that the record has.
 * Undefined where it lacks one.
 * @throws BedsideError E_DATA for a malformed or damaged file or a record without signals, E_FILE for one that cannot be
 * read
 */
export async function readLeads(
  folder: string,
  name: string,
  { leads: wanted, contract }: Pick<SignalTarget, 'leads' | 'contract'>,
): Promise<readonly Lead[] | undefined> {
  const record = await openRecord(folder, name);
  const taken = chooseLeads(record, wanted);
  if (!taken) return undefined;
  const leads: Lead[] = [];
  for (const [i, place] of taken.entries()) {
    const lead = must(record.leads[place], 'a lead for each place');
    const factor = unitFactor(contract, contract.units === 'steps' ? stepsOf(record, lead) : 1);
    const signal = await readSignal(folder, record, lead);
    leads.push({
      record: name,
      rate: record.rate,
      name: lead,
      isFallback: lead !== wanted[i]?.[0],
      guess: leadGuess(record, lead),
      signal: factor === 1 ? signal : signal.map((value) => value * factor),
    });
  }
  return leads;
}

/** Steps of the converter in a millivolt. @throws BedsideError E_DATA where segments differ in them */
function stepsOf({ parts, name }: WfdbRecord, lead: string): number {
  const signals = parts.flatMap(({ header }) => header.signals.filter((signal) => nameOf(signal) === lead));
  const steps = [...new Set(signals.map(stepsPerMillivolt))];
  if (steps.length <= 1) return steps[0] ?? 1;
  throw new BedsideError('E_DATA', `segments of record ${name} differ in the gain of ${lead}`, {
    hint: 'use a network that reads millivolts, or leave the record out with --records',
  });
}
