// Spans of a device, for requests that are traced: tensors that arrive, and stages that it runs.
import type { TensorMessage } from '../protocol/messages.ts';
import { roundMs, type SegmentSpan } from '../protocol/spans.ts';
import { recordSpan, recordTransfer, type SentBy, sentBy } from '../protocol/tracing.ts';
import type { ActiveRequest } from './request-registry.ts';

/** Records that a tensor of a request has arrived. */
export function traceArrival(
  { traceparent }: Pick<ActiveRequest, 'traceparent'>,
  { sent, tensor, travelled }: TensorMessage,
  between: { readonly from: string; readonly to: string },
): void {
  if (traceparent !== undefined)
    recordTransfer(traceparent, sent, { ...between, bytes: travelled ?? tensor.data.byteLength });
}

/** One run as it is told to the requester: milliseconds since the request was opened here. */
export function spanOf({ opened }: Pick<ActiveRequest, 'opened'>, run: SegmentSpan): SegmentSpan {
  const since = (time: number): number => roundMs(time - opened);
  return { ...run, arrived: since(run.arrived), started: since(run.started), ended: since(run.ended) };
}

/**
 * Records a run, and returns what its result is sent with; nothing where the request is not traced.
 * @param run times in milliseconds, on the clock of `performance`
 */
export function traceStage(
  { traceparent }: Pick<ActiveRequest, 'traceparent'>,
  { stage, last, segment, arrived, started, ended }: Omit<SegmentSpan, 'bytes'>,
  device: string,
): SentBy | undefined {
  if (traceparent === undefined) return undefined;
  const own = recordSpan(
    traceparent,
    'stage',
    { start: started, end: ended },
    {
      ...{ 'bedside.device': device, 'bedside.stage': stage, 'bedside.last': last },
      ...{ 'bedside.segment': segment, 'bedside.waited_ms': started - arrived },
    },
  );
  return sentBy(own);
}
