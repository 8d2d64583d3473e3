// A simulation as the JSON object of --json.
import type { SimulateResult } from '../../../app/simulate/simulate.ts';

/** The result without single requests. */
export function simulationJson({
  episodes: _,
  remarks: __,
  skipped: ___,
  ...result
}: SimulateResult): object {
  return result;
}
