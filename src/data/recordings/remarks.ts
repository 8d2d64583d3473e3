// What is said about the recordings that windows were cut from: other leads, other rates.
import { firstOf, must } from '../../util/index.ts';
import { ANY, type Lead } from './source.ts';
import type { SignalTarget } from './steps.ts';

/** Leads of each record, without their signals. */
export type LeadFacts = readonly (readonly Omit<Lead, 'signal'>[])[];

const FEW = 5;

/** The first few names. */
export function few(items: readonly string[]): string {
  return firstOf(items, FEW);
}

/** The leads of all records, the most frequent first, and all rates. */
export function signalFacts(
  records: readonly { readonly leads: readonly string[]; readonly rates: readonly number[] }[],
): { readonly leads: readonly string[]; readonly rates: readonly number[] } {
  const counts = new Map<string, number>();
  for (const lead of records.flatMap(({ leads }) => leads)) counts.set(lead, (counts.get(lead) ?? 0) + 1);
  const leads = [...counts].sort(([, a], [, b]) => b - a).map(([lead]) => lead);
  return { leads, rates: [...new Set(records.flatMap(({ rates }) => rates))].sort((a, b) => a - b) };
}

/** The number of records that each lead was taken from. */
export function leadCounts(leads: LeadFacts): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { name } of leads.flat()) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Object.fromEntries(counts);
}

/** Says which records gave another lead than the first that is looked for. */
export function leadRemarks(leads: LeadFacts, { leads: wanted }: SignalTarget): string[] {
  return wanted.flatMap(([first], i) => {
    const others = leads.map((own) => own[i]).filter((lead) => lead?.isFallback);
    if (others.length === 0 || first === ANY) return [];
    const named = few(others.map((lead) => `${lead?.record} (${lead?.name})`));
    const instead = wanted.length === 1 ? 'their first one was' : 'others were';
    return [`${others.length} of ${leads.length} records have no lead ${first}; ${instead} taken: ${named}`];
  });
}

/** Says which leads have values whose unit or gain was guessed. */
export function guessRemarks(leads: LeadFacts): string[] {
  const records = new Map<string, string[]>();
  for (const { name, record, guess } of leads.flat()) {
    if (guess === undefined) continue;
    const told = `values of ${name} are ${guess}`;
    records.set(told, [...(records.get(told) ?? []), record]);
  }
  return [...records].map(([told, own]) => `${told}: ${few(own)}`);
}

/** Says which records were resampled, and whether the rate that they were brought to is known or assumed. */
export function rateRemarks(all: LeadFacts, rate: number, isAssumed: boolean): string[] {
  const leads = all.map((own) => must(own[0], 'a lead'));
  const rates = [...new Set(leads.map((lead) => lead.rate))].sort((a, b) => a - b);
  if (rates.every((other) => other === rate)) return [];
  const told = rates.map((other) => {
    const records = leads.filter((lead) => lead.rate === other).map(({ record }) => record);
    return `${other} Hz (${few(records)})`;
  });
  const target = isAssumed
    ? `${rate} Hz, which is assumed as the network does not say its rate (--sampling-rate says another)`
    : `the network's ${rate} Hz`;
  const slowest = rates[0] ?? rate;
  const lacking = slowest < rate ? `; above ${slowest / 2} Hz the slowest hold nothing` : '';
  const what = rates.length === 1 ? 'records sampled at' : 'records differ in sampling rate:';
  return [`${what} ${told.join(', ')} were brought to ${target}${lacking}`];
}
