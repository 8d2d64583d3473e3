// Spans of a device, for requests that are traced: tensors that arrive, and stages that it runs.
import type { TensorMessage } from '../protocol/messages.ts';
import type { SegmentSpan } from '../protocol/spans.ts';
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

/** One run of a device; times in milliseconds, on the clock of `performance`. */
interface StageRun extends Omit<SegmentSpan, 'bytes'> {
  readonly device: string;
}

/** Records a run, and returns what its result is sent with; nothing where the request is not traced. */
export function traceStage(
  { traceparent }: Pick<ActiveRequest, 'traceparent'>,
  { device, stage, last, segment, arrived, started, ended }: StageRun,
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
