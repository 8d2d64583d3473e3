// A planned request as the JSON object of --json.
import type { PlanResult } from '../../../app/plan/plan.ts';

/** The fields of the contract. */
export function planJson(result: PlanResult): object {
  const { view: _, problem: __, bundle: ___, remarks: ____, skipped: _____, ...fields } = result;
  const { baselines, diagnosis, proposals, seconds, ...figures } = fields;
  return {
    ...figures,
    baselines: Object.fromEntries(
      baselines.map(({ solver, reason: _reason, ...totals }) => [solver, totals]),
    ),
    ...(diagnosis ? { diagnosis } : {}),
    ...(proposals.length > 0 ? { proposals } : {}),
    seconds,
  };
}
