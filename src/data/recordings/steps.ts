// From windows of leads to a network's input by its contract: which leads, units, normalisation, leads first or last.
// Without a contract: one lead in millivolts, less its mean, over its standard deviation.
import { BedsideError, must } from '../../util/index.ts';
import type { SignalContract } from '../contract/contract.ts';
import { formatShape, shapeMisfit } from '../fit.ts';

/** A network's signal input, and how windows of recordings become it. */
export interface SignalTarget {
  /** For each lead its names in the data, the first that is there; `*` is any lead not yet taken. */
  readonly leads: readonly (readonly string[])[];
  /** Samples of a window. */
  readonly length: number;
  readonly layout: 'leads-first' | 'leads-last';
  /** Samples before the beat; undefined where the contract does not say it. */
  readonly before: number | undefined;
  readonly contract: SignalContract;
  /** What was taken for granted. */
  readonly remarks: readonly string[];
}

/** The lead that is taken where a record has it, and any other where it has not. */
const ONE_LEAD: readonly (readonly string[])[] = [['MLII', '*']];

/**
 * The signal input that a sample shape stands for: `[length]`, `[leads, length]` or `[length, leads]`, also with one
 * more axis of 1. Several leads must be named by the contract.
 * @throws BedsideError E_DATA_FIT for any other shape; E_CONTRACT for a contract of another input
 */
export function signalTarget(
  sampleShape: readonly number[],
  contract: SignalContract = {},
  name = 'the data',
): SignalTarget {
  const leads = contract.leads?.map((names) => (typeof names === 'string' ? [names] : names)) ?? ONE_LEAD;
  const axes = [...sampleShape];
  while (axes.length > 2 && axes.includes(1)) axes.splice(axes.indexOf(1), 1);
  const [first = 0, last = 0] = axes;
  const isFirst = axes.length === 2 && first === leads.length && contract.layout !== 'leads-last';
  const isLast = axes.length === 2 && last === leads.length && contract.layout !== 'leads-first';
  const isOnly = axes.length === 1 && leads.length === 1;
  if (!isFirst && !isLast && !isOnly) throw misfit(sampleShape, axes, leads.length, contract, name);
  const layout = isLast && !isFirst ? 'leads-last' : 'leads-first';
  assertEachLead(contract, leads.length);
  const length = isOnly || layout === 'leads-last' ? first : last;
  const isGuess = layout === 'leads-last' && contract.layout === undefined;
  const remarks = isGuess
    ? [`the network reads ${formatShape(sampleShape)}: leads were taken to come last (layout leads-last)`]
    : [];
  return { leads, length, layout, before: beforeOf(contract, length), contract, remarks };
}

function misfit(
  sampleShape: readonly number[],
  axes: readonly number[],
  leads: number,
  contract: SignalContract,
  name: string,
): BedsideError {
  if (contract.leads) {
    const what = `${leads} ${leads === 1 ? 'lead is' : 'leads are'} named`;
    return new BedsideError('E_CONTRACT', `${what}, and the network reads ${formatShape(sampleShape)}`, {
      hint: 'name as many leads as the network reads, in signal.leads of the contract (docs/data.md)',
    });
  }
  const refused = shapeMisfit(sampleShape, 'beats of one lead, [1, length]', name);
  const few = Math.min(...axes);
  if (axes.length !== 2 || few < 2 || few > 32) return refused;
  return new BedsideError('E_DATA_FIT', refused.message, {
    hint:
      `name the ${few} leads that the network reads in a model.json beside it, as in ` +
      '{"signal": {"leads": ["MLII", ["V1", "V5"]]}}; bedside init writes a first one',
  });
}

/** @throws BedsideError E_CONTRACT unless lists of means and deviations have a number for each lead */
function assertEachLead({ normalisation }: SignalContract, leads: number): void {
  if (normalisation?.kind !== 'fixed') return;
  for (const field of ['mean', 'deviation'] as const) {
    const values = normalisation[field];
    if (typeof values === 'number' || values.length === leads) continue;
    throw new BedsideError(
      'E_CONTRACT',
      `signal.normalisation.${field} has ${values.length} numbers, and the network reads ${leads} leads`,
      { hint: 'give one number for all leads, or one for each (docs/data.md)' },
    );
  }
}

function beforeOf({ window }: SignalContract, length: number): number | undefined {
  if (window?.around !== 'beat') return window ? 0 : undefined;
  const { before, after = length - before } = window;
  if (before + after === length && after >= 0) return before;
  throw new BedsideError(
    'E_CONTRACT',
    `signal.window is ${before} samples before the beat and ${after} from it on, and the network reads ${length}`,
    { hint: "before and after make up the network's input; after may be left out" },
  );
}

/** What a millivolt is in each unit; steps of the converter depend on the lead. */
const PER_MILLIVOLT = { mV: 1, uV: 1000, V: 1e-3 } as const;

/**
 * What values in millivolts are multiplied by.
 * @param steps of the converter in a millivolt, for this lead
 */
export function unitFactor({ units = 'mV' }: SignalContract, steps: number): number {
  return units === 'steps' ? steps : PER_MILLIVOLT[units];
}

/**
 * Writes one sample from `start`.
 * @param windows one for each lead, in the contract's units
 */
export function writeWindows(
  windows: readonly Float64Array[],
  target: SignalTarget,
  samples: Float32Array,
  start: number,
): void {
  const { layout, length } = target;
  const ready = normalised(windows, target.contract);
  for (const [lead, window] of ready.entries()) {
    if (layout === 'leads-first') {
      samples.set(window, start + lead * length);
      continue;
    }
    for (const [i, value] of window.entries()) samples[start + i * ready.length + lead] = value;
  }
}

const DEFAULT_EPSILON = 1e-6;

function normalised(
  windows: readonly Float64Array[],
  { normalisation = { kind: 'z-score' } }: SignalContract,
): readonly Float64Array[] {
  switch (normalisation.kind) {
    case 'none':
      return windows;
    case 'fixed': {
      const { mean, deviation } = normalisation;
      const of = (values: number | readonly number[], lead: number): number =>
        typeof values === 'number' ? values : must(values[lead], 'a number for each lead');
      return windows.map((window, lead) => window.map((v) => (v - of(mean, lead)) / of(deviation, lead)));
    }
    case 'z-score': {
      const { per = 'lead', epsilon = DEFAULT_EPSILON } = normalisation;
      if (per === 'lead') return windows.map((window) => standardised(window, [window], epsilon));
      return windows.map((window) => standardised(window, windows, epsilon));
    }
  }
}

/** Minus the mean of `all`, over their population standard deviation and a little. */
function standardised(window: Float64Array, all: readonly Float64Array[], epsilon: number): Float64Array {
  const count = all.reduce((sum, { length }) => sum + length, 0);
  const mean = all.reduce((sum, one) => one.reduce((total, value) => total + value, sum), 0) / count;
  const squares = all.reduce((sum, one) => one.reduce((total, v) => total + (v - mean) ** 2, sum), 0);
  const scale = 1 / (Math.sqrt(squares / count) + epsilon);
  return window.map((value) => (value - mean) * scale);
}
