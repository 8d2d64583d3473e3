// Checks received messages. The server guarantees who the sender is; this file checks the form of a message, and
// whether its sender may send it.
import type { InputMessage, NodeMessage } from '../../protocol/messages.ts';
import { isSentBy, isTraceparent } from '../../protocol/tracing.ts';
import { roleOf } from './subjects.ts';

type Kind = NodeMessage['kind'];
type FieldType = 'string' | 'number' | 'object';

/** Fields with their types, as a list: each message is held against one. */
type Fields = readonly (readonly [string, FieldType])[];

const listed = (fields: Readonly<Record<string, FieldType>>): Fields => Object.entries(fields);

const ASSIGNMENT: Readonly<Record<string, FieldType>> = {
  ...{ request: 'string', epoch: 'number', requester: 'string', bundle: 'string', plan: 'object' },
  ...{ samples: 'number', remaining: 'number' },
};

/** Fields of an assignment. */
const ASSIGNED = listed(ASSIGNMENT);

/** Required fields, by kind of message. */
const REQUIRED: Readonly<Record<Kind, Readonly<Record<string, FieldType>>>> = {
  part: {
    ...{ request: 'string', epoch: 'number', requester: 'string', remaining: 'number' },
    ...{ stage: 'number', segment: 'number', tensor: 'object' },
  },
  plan: ASSIGNMENT,
  failed: { request: 'string', epoch: 'number', error: 'object' },
  end: { request: 'string' },
  warm: { id: 'string', bundle: 'string', plan: 'object' },
  warmed: { id: 'string' },
  working: { id: 'string' },
  ask: { id: 'string' },
  measure: { id: 'string', bundle: 'string' },
  refused: { id: 'string', error: 'object' },
  report: { id: 'string', report: 'object' },
  leaving: { why: 'string' },
};

const FIELDS: ReadonlyMap<string, Fields> = new Map(
  Object.entries(REQUIRED).map(([kind, fields]) => [kind, listed(fields)]),
);

/** Fields that are ids or names, and most characters of one. */
const NAMES: readonly string[] = ['id', 'request', 'requester', 'bundle'];
const MAX_NAME = 1024;

/** Plans that were checked and are well formed. */
const plans = new WeakSet<object>();

/** Kinds of messages that workers may send. Only requesters give orders. */
const OF_WORKERS: ReadonlySet<Kind> = new Set<Kind>([
  'part',
  'failed',
  'warmed',
  'working',
  'refused',
  'report',
  'leaving',
]);

/** Whether a message is well formed, and its sender may send it. */
export function isValidMessage(from: string, message: NodeMessage): boolean {
  // What is no text may fail where it is made one.
  if (typeof message.kind !== 'string') return false;
  const fields = FIELDS.get(message.kind);
  if (!fields) return false;
  if (!hasFields(message, fields) || !hasShortNames(message) || !hasTrace(message)) return false;
  if ('plan' in message && !isKnownPlan(message.plan)) return false;
  const fromWorker = roleOf(from) === 'worker';
  if (fromWorker && !OF_WORKERS.has(message.kind)) return false;
  if ('epoch' in message && !isCount(message.epoch)) return false;
  if (message.kind === 'plan') return message.requester === from && isCount(message.samples);
  if (message.kind !== 'part') return true;
  if (!isCount(message.segment) || !isCount(message.stage + 1)) return false;
  // Only the requester sends assignments. The worker checks other tensors against the plan.
  if (message.stage >= 0) return !(fromWorker && 'plan' in message);
  if (fromWorker || message.requester !== from) return false;
  return hasFields(message, ASSIGNED) && isCount((message as InputMessage).samples);
}

function hasFields(message: NodeMessage, fields: Fields): boolean {
  const values = message as unknown as Readonly<Record<string, unknown>>;
  return fields.every(([field, type]) => {
    const value = values[field];
    return typeof value === type && value !== null;
  });
}

/** Ids and names are stored for a while, so they must be short. */
function hasShortNames(message: NodeMessage): boolean {
  const values = message as unknown as Readonly<Record<string, unknown>>;
  return NAMES.every((field) => {
    const value = values[field];
    return value === undefined || (typeof value === 'string' && value.length <= MAX_NAME);
  });
}

/** What a message says of its trace, if anything, is what this version writes: it goes into spans. */
function hasTrace(message: NodeMessage): boolean {
  const { traceparent, sent } = message as { readonly traceparent?: unknown; readonly sent?: unknown };
  return isTraceparent(traceparent) && isSentBy(sent);
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0;
}

/** Whether a plan is well formed. Many messages share a plan, which is checked once. */
function isKnownPlan(plan: object): boolean {
  if (plans.has(plan)) return true;
  if (!isPlan(plan)) return false;
  plans.add(plan);
  return true;
}

function isPlan({
  levels,
  source,
  stages,
}: {
  readonly levels?: unknown;
  readonly source?: unknown;
  readonly stages?: unknown;
}): boolean {
  if (!Array.isArray(levels) || !levels.every(isCount) || !Array.isArray(stages)) return false;
  if (source !== undefined && typeof source !== 'string') return false;
  if (stages.length === 0) return false;
  return stages.every(
    (stage: { index?: unknown; segments?: unknown; precision?: unknown; wire?: unknown } | null, at) =>
      stage?.index === at &&
      [undefined, 'float32', 'int8'].includes(stage.precision as string | undefined) &&
      [undefined, 'float32', 'uint8'].includes(stage.wire as string | undefined) &&
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
