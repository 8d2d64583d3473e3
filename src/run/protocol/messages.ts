// What nodes say to each other. Everything that belongs to a request carries its epoch: a plan made anew for the same
// request has a higher one, and what comes of a lower one changes nothing.
import type { FloatTensor } from '../../engine/index.ts';
import type { ErrorCode } from '../../util/index.ts';
import type { DeviceReport } from '../device/device.ts';
import type { RunPlan } from './plan.ts';

/** An error on its way. */
export interface SerializedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** Whose something is. An id is one of its requester's: two requesters may use the same, and never meet. */
export interface RequestId {
  /** 128 random bits: nobody who was not told can name it. */
  readonly request: string;
  readonly epoch: number;
  /** The node that wants the result. */
  readonly requester: string;
}

/** What one request is. Its requester alone says so, to each device of the plan itself. */
export interface Assignment extends RequestId {
  /** SHA-256 of the bundle. */
  readonly bundle: string;
  readonly plan: RunPlan;
  /** In the batch. */
  readonly samples: number;
  /** Milliseconds left when it was sent: clocks of nodes need not agree. */
  readonly remaining: number;
}

/** What one segment of a stage gave; stage -1 is the input. */
export interface TensorMessage extends RequestId {
  readonly kind: 'part';
  readonly stage: number;
  readonly segment: number;
  readonly remaining: number;
  readonly tensor: FloatTensor;
}

/** The input, with what its request is: stage -1, from the requester to the first device. */
export interface InputMessage extends TensorMessage, Assignment {}

export type NodeMessage =
  | TensorMessage
  | InputMessage
  /** What a request is, to its other devices: parts of it come from where this plan says, and from nowhere else. */
  | ({ readonly kind: 'plan' } & Assignment)
  | {
      readonly kind: 'failed';
      readonly request: string;
      readonly epoch: number;
      readonly error: SerializedError;
    }
  /** The request has ended: its sessions may go, and what still comes of it is dead. */
  | { readonly kind: 'end'; readonly request: string }
  /** Make the sessions of a plan. */
  | { readonly kind: 'warm'; readonly id: string; readonly bundle: string; readonly plan: RunPlan }
  | { readonly kind: 'warmed'; readonly id: string; readonly error?: SerializedError | undefined }
  /** What was asked is being done still. */
  | { readonly kind: 'working'; readonly id: string }
  | { readonly kind: 'ask'; readonly id: string }
  /** Time every stage at each level, then report. */
  | { readonly kind: 'measure'; readonly id: string; readonly bundle: string }
  | { readonly kind: 'refused'; readonly id: string; readonly error: SerializedError }
  | { readonly kind: 'report'; readonly id: string; readonly report: DeviceReport }
  /** The node goes: its battery is spent, or it was told to. */
  | { readonly kind: 'leaving'; readonly why: string };
