// What nodes say to each other. Everything that belongs to a request carries its epoch: a plan made anew for the same
// request has a higher one, and what comes of a lower one changes nothing.
import type { ErrorCode } from '../util/index.ts';
import type { DeviceReport } from './device.ts';
import type { FloatTensor } from './join.ts';
import type { RunPlan } from './plan.ts';

/** An error on its way. */
export interface ErrorWords {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** What one request is, told with every part so that no node needs to be told before. */
export interface Assignment {
  readonly request: string;
  readonly epoch: number;
  /** The node that wants the result. */
  readonly requester: string;
  /** SHA-256 of the bundle. */
  readonly bundle: string;
  readonly plan: RunPlan;
  /** Milliseconds left when it was sent: clocks of nodes need not agree. */
  readonly remaining: number;
}

/** What one segment of a stage gave; stage -1 is the input. */
export interface Part extends Assignment {
  readonly kind: 'part';
  readonly stage: number;
  readonly segment: number;
  readonly tensor: FloatTensor;
}

export type Message =
  | Part
  | {
      readonly kind: 'failed';
      readonly request: string;
      readonly epoch: number;
      readonly error: ErrorWords;
    }
  /** The request has ended: its sessions may go, and what still comes of it is dead. */
  | { readonly kind: 'end'; readonly request: string }
  /** Make the sessions of a plan. */
  | { readonly kind: 'warm'; readonly id: string; readonly bundle: string; readonly plan: RunPlan }
  | { readonly kind: 'warmed'; readonly id: string; readonly error?: ErrorWords | undefined }
  | { readonly kind: 'ask'; readonly id: string }
  /** Time every stage at each level, then report. */
  | { readonly kind: 'measure'; readonly id: string; readonly bundle: string }
  | { readonly kind: 'refused'; readonly id: string; readonly error: ErrorWords }
  | { readonly kind: 'report'; readonly id: string; readonly report: DeviceReport }
  /** The node goes: its battery is spent, or it was told to. */
  | { readonly kind: 'leaving'; readonly why: string };
