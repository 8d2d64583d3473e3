// What the audit log keeps of an answer: never an input, a score or an identifier.
import { hashArrays } from '../../util/internal.ts';
import type { Served, ServedModel } from '../service/served-model.ts';
import type { AuditRecord } from './audit-log.ts';

/** The record of an answer. */
export function recordOf(
  event: 'infer' | 'explain',
  caller: string,
  { name, bundle }: ServedModel,
  { results, variant, solver, policy, waited, computed, answer }: Served,
): AuditRecord {
  return {
    ...{ event, caller, model: name, bundle: bundle.sha256 },
    result: hashArrays(...answer.outputs.map(({ data }) => data)),
    levels: results[0]?.plan.levels,
    variant,
    ...{ solver, policy },
    devices: String(answer.parameters.devices).split(','),
    samples: results.length,
    fallback: String(answer.parameters.fallback),
    ...{ waited, computed },
  };
}
