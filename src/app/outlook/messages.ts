// What goes between the thread of an outlook and the one that started it.
import type { BundleManifest } from '../../bundle/index.ts';
import type { RunPlan } from '../../run/index.ts';
import type { ErrorCode } from '../../util/index.ts';
import type { SolverName } from '../planners.ts';
import type { ComparedPlans, Moment } from './compare-plans.ts';
import type { FleetEdit } from './fleet-edit.ts';
import type { WhatIf } from './what-if.ts';

/** A bundle is sent once, and named by its hash from then on. */
export type OutlookTask =
  | { readonly kind: 'bundle'; readonly bundle: string; readonly manifest: BundleManifest }
  | {
      readonly kind: 'compare';
      readonly id: number;
      readonly bundle: string;
      readonly moment: Moment;
      readonly plan: RunPlan;
      readonly seconds: number;
    }
  | {
      readonly kind: 'what-if';
      readonly id: number;
      readonly bundle: string;
      readonly moment: Moment;
      readonly edit: FleetEdit;
      readonly solver: SolverName;
    };

export type OutlookReply =
  | { readonly id: number; readonly result: ComparedPlans | WhatIf }
  | {
      readonly id: number;
      readonly error: {
        readonly code: ErrorCode;
        readonly message: string;
        readonly hint?: string | undefined;
      };
    };
