// What may be believed of whom, and whether it is what it claims to be: the server says who spoke, this what he may say.
import type { Message } from '../messages.ts';
import { addressOf } from './subjects.ts';

type Kind = Message['kind'];
type FieldType = 'string' | 'number' | 'object';

/** Fields that a message of a kind must have. */
const FIELDS: Readonly<Record<Kind, Readonly<Record<string, FieldType>>>> = {
  part: {
    ...{ request: 'string', epoch: 'number', requester: 'string', bundle: 'string', plan: 'object' },
    ...{ remaining: 'number', stage: 'number', segment: 'number', tensor: 'object' },
  },
  failed: { request: 'string', epoch: 'number', error: 'object' },
  end: { request: 'string' },
  warm: { id: 'string', bundle: 'string', plan: 'object' },
  warmed: { id: 'string' },
  ask: { id: 'string' },
  measure: { id: 'string', bundle: 'string' },
  refused: { id: 'string', error: 'object' },
  report: { id: 'string', report: 'object' },
  leaving: { why: 'string' },
};

/** Plans that are some. */
const plans = new WeakSet<object>();

/** What a worker has to say; requesters alone give orders. */
const OF_WORKERS: ReadonlySet<Kind> = new Set<Kind>([
  'part',
  'failed',
  'warmed',
  'refused',
  'report',
  'leaving',
]);

/** Whether a message is well formed, and its sender's to send. */
export function isPlausible(from: string, message: Message): boolean {
  const fields = Object.hasOwn(FIELDS, message.kind) ? FIELDS[message.kind] : undefined;
  if (!fields) return false;
  const values = message as unknown as Readonly<Record<string, unknown>>;
  for (const [field, type] of Object.entries(fields)) {
    const value = values[field];
    if (typeof value !== type || value === null) return false;
  }
  if ('plan' in message && !isKnownPlan(message.plan)) return false;
  const fromWorker = addressOf(from).role === 'worker';
  if (fromWorker && !OF_WORKERS.has(message.kind)) return false;
  if (message.kind !== 'part') return true;
  if (!isCount(message.epoch) || !isCount(message.segment) || !isCount(message.stage + 1)) return false;
  if (message.stage >= message.plan.stages.length) return false;
  // An input, and so a request, comes from him who wants the result; the rest from one that the plan names.
  if (message.stage < 0) return !fromWorker && message.requester === from;
  const { stages } = message.plan;
  return !fromWorker || stages[message.stage]?.segments[message.segment]?.device === from;
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0;
}

/** Many messages share a plan. */
function isKnownPlan(plan: object): boolean {
  if (plans.has(plan)) return true;
  if (!isPlan(plan)) return false;
  plans.add(plan);
  return true;
}

function isPlan({ levels, stages }: { readonly levels?: unknown; readonly stages?: unknown }): boolean {
  if (!Array.isArray(levels) || !levels.every(isCount) || !Array.isArray(stages)) return false;
  if (stages.length === 0) return false;
  return stages.every(
    (stage: { index?: unknown; segments?: unknown } | null, at) =>
      stage?.index === at &&
      Array.isArray(stage.segments) &&
      stage.segments.length > 0 &&
      stage.segments.every(isSegment),
  );
}

function isSegment(segment: { device?: unknown; from?: unknown; to?: unknown } | null): boolean {
  return (
    typeof segment?.device === 'string' && isCount(segment.from as number) && isCount(segment.to as number)
  );
}
