// The message that a request starts with. It is made once a request, with cold caches: every field is written by its
// name, since copies of objects are slow there.
import type { FloatTensor } from '../../engine/index.ts';
import type { Assignment, InputMessage } from '../protocol/messages.ts';
import type { RunPlan } from '../protocol/plan.ts';
import { sentBy } from '../protocol/tracing.ts';

/** What is known of a request when an epoch of it starts. */
interface StartingRequest {
  readonly id: string;
  readonly epoch: number;
  readonly plan: RunPlan;
  readonly input: FloatTensor;
  /** Milliseconds, on the clock of `performance`. */
  readonly end: number;
  readonly options: { readonly timed?: boolean | undefined };
}

/** The input together with its request, for the first device of the plan. */
export function inputMessage(
  { id, epoch, plan, input, end, options }: StartingRequest,
  { requester, bundle, traceparent }: Pick<Assignment, 'requester' | 'bundle' | 'traceparent'>,
): InputMessage {
  return {
    kind: 'part',
    request: id,
    epoch,
    requester,
    bundle,
    plan,
    samples: input.dims[0] ?? 1,
    remaining: end - performance.now(),
    timed: options.timed ? true : undefined,
    traceparent,
    stage: -1,
    segment: 0,
    tensor: input,
    sent: sentBy(traceparent),
  };
}

/** What the other devices are told of the request. */
export function assignmentOf(input: InputMessage): Assignment {
  const { request, epoch, requester, bundle, plan, samples, remaining, timed, traceparent } = input;
  return { request, epoch, requester, bundle, plan, samples, remaining, timed, traceparent };
}
