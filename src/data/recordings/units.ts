// Units of signals: what values are in millivolts, and what is said where nothing tells it.

// Physical units in millivolts; values in any other unit stay as they are, and that is said.
const MILLIVOLTS: Readonly<Record<string, number>> = {
  mV: 1,
  V: 1000,
  uV: 1e-3,
  µV: 1e-3,
  μV: 1e-3,
  nV: 1e-6,
};
const LONGEST = 16;

/** What a unit of voltage is in millivolts; undefined for any other unit. */
export function millivoltsOf(unit: string): number | undefined {
  return Object.hasOwn(MILLIVOLTS, unit) ? MILLIVOLTS[unit] : undefined;
}

/** What is guessed about values in a unit that is no voltage; undefined for a voltage. */
export function unitGuess(unit: string): string | undefined {
  if (millivoltsOf(unit) !== undefined) return undefined;
  const told = unit === '' ? 'without a unit' : `in '${unit.slice(0, LONGEST)}'`;
  return `${told}, which was taken for millivolts`;
}
