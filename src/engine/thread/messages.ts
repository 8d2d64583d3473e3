// Messages between a compute thread and the thread that started it.
import type { ErrorCode } from '../../util/index.ts';
import type { Feed, SessionOptions, Tensor } from '../session.ts';

/** A task for the thread; the caller numbers sessions. */
export type Task =
  | { readonly kind: 'create'; readonly bytes: Uint8Array; readonly options: SessionOptions }
  | {
      readonly kind: 'run';
      readonly feeds: Readonly<Record<string, Feed>>;
      readonly outputs: readonly string[] | undefined;
    }
  | { readonly kind: 'release' };

export type TaskRequest = Task & { readonly id: number; readonly session: number };

/** The result of a task. */
export type TaskOutcome =
  | {
      readonly kind: 'created';
      readonly inputNames: readonly string[];
      readonly outputNames: readonly string[];
    }
  | { readonly kind: 'result'; readonly result: Record<string, Tensor> }
  | { readonly kind: 'released' }
  | {
      readonly kind: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      readonly hint: string | undefined;
    };

export type TaskReply = TaskOutcome & { readonly id: number };
