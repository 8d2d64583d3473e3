// What is kept of each decision, whatever path its request came by: figures, the history of the pages, and the audit log.
import { BedsideError, type ErrorCode } from '../../util/index.ts';
import type { AuditLog } from '../observe/audit-log.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { RequestHistory } from '../service/request-history.ts';
import type { Served, ServedModel } from '../service/served-model.ts';

/** Where it is kept. */
export interface DecisionParts {
  readonly metrics: Metrics;
  readonly audit: AuditLog | undefined;
  readonly dashboard: { readonly history: RequestHistory } | undefined;
}

/** A request, and when it came (`performance.now()`). */
export interface Decision {
  readonly model: ServedModel;
  readonly kind: 'infer' | 'explain';
  readonly caller: string;
  readonly started: number;
}

/** Counts an answer. The audit log has it already: before that it is not given. */
export function countAnswer(
  { metrics, dashboard }: DecisionParts,
  { model, kind, started }: Decision,
  served: Served,
): void {
  const seconds = (performance.now() - started) / 1000;
  metrics.answered(served, seconds);
  dashboard?.history.answered(model, kind, served, seconds);
}

/** Counts a request that ended with an error, and keeps that. @throws BedsideError E_OUTPUT where it cannot be kept */
export async function keepFailure(
  { metrics, audit, dashboard }: DecisionParts,
  { model, kind, caller, started }: Decision,
  error: unknown,
): Promise<ErrorCode> {
  const code = BedsideError.is(error) ? error.code : 'E_INTERNAL';
  metrics.failed(model.name, code);
  dashboard?.history.failed(model, kind, code, (performance.now() - started) / 1000);
  await audit?.append({ event: kind, caller, model: model.name, bundle: model.bundle.sha256, error: code });
  return code;
}
