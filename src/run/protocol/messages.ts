// The messages between nodes. Every message of a request carries an epoch: each new plan for the same request has a
// higher one, and messages with a lower one are ignored.
import type { FloatTensor } from '../../engine/index.ts';
import type { ErrorCode } from '../../util/index.ts';
import type { DeviceReport } from '../device/device.ts';
import type { RunPlan } from './plan.ts';
import type { RoundedTensor } from './rounded-tensor.ts';
import type { SegmentSpan } from './spans.ts';
import type { SentBy } from './tracing.ts';

/** An error in the form that is sent. */
export interface SerializedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** Names a request. Ids belong to a requester: two requesters may use the same id without any effect on each other. */
export interface RequestId {
  /** 128 random bits: a node that was not sent it cannot guess it. */
  readonly request: string;
  readonly epoch: number;
  /** The coordinator that gets the result. */
  readonly requester: string;
}

/** What a request consists of. Only its coordinator sends this, to each device of the plan directly. */
export interface Assignment extends RequestId {
  /** SHA-256 of the bundle. */
  readonly bundle: string;
  readonly plan: RunPlan;
  /** Number of samples in the batch. */
  readonly samples: number;
  /** Milliseconds left when it was sent. A duration, because the clocks of nodes need not agree. */
  readonly remaining: number;
  /** Whether devices say when they worked on it. */
  readonly timed?: true | undefined;
  /** The span that its devices add theirs below; of requests that are traced. */
  readonly traceparent?: string | undefined;
}

/** The output of one segment of a stage. Stage -1 is the input of the network. */
export interface TensorMessage extends RequestId {
  readonly kind: 'part';
  readonly stage: number;
  readonly segment: number;
  readonly remaining: number;
  /** Rounded where the plan says that the next stage's input travels as uint8. */
  readonly tensor: FloatTensor | RoundedTensor;
  /** Bytes that it came as where it travelled as integers and is float32 again; the receiver sets it. */
  readonly travelled?: number | undefined;
  /** When devices worked on what is in it; of requests that are timed. */
  readonly spans?: readonly SegmentSpan[] | undefined;
  /** When it was sent, and by which span; of requests that are traced. */
  readonly sent?: SentBy | undefined;
}

/** The input together with its request: stage -1, from the coordinator to the first device. */
export interface InputMessage extends TensorMessage, Assignment {}

/** A message from one node to another. */
export type NodeMessage =
  | TensorMessage
  | InputMessage
  /** The request, for its other devices: they accept its tensors only from the devices that this plan names. */
  | ({ readonly kind: 'plan' } & Assignment)
  | {
      readonly kind: 'failed';
      readonly request: string;
      readonly epoch: number;
      readonly error: SerializedError;
    }
  /** The request has ended: its sessions may be released, and later messages of it are ignored. */
  | { readonly kind: 'end'; readonly request: string }
  /** Asks for the sessions of a plan to be created. */
  | { readonly kind: 'warm'; readonly id: string; readonly bundle: string; readonly plan: RunPlan }
  | { readonly kind: 'warmed'; readonly id: string; readonly error?: SerializedError | undefined }
  /** The device still works on the query. `progress` grows with each step: a part fetched, a session made, a run timed. */
  | { readonly kind: 'working'; readonly id: string; readonly progress?: number | undefined }
  /** Asks for a report. */
  | { readonly kind: 'ask'; readonly id: string }
  /** Asks the device to time every stage at each level, and then to report. */
  | { readonly kind: 'measure'; readonly id: string; readonly bundle: string }
  | { readonly kind: 'refused'; readonly id: string; readonly error: SerializedError }
  | { readonly kind: 'report'; readonly id: string; readonly report: DeviceReport }
  /** The node goes, because its battery is empty or it was stopped. */
  | { readonly kind: 'leaving'; readonly why: string };
