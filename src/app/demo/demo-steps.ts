// The steps of the demo, as the caller hears of them.
import type { Grouping } from '../../channels/index.ts';
import type { Fleet } from '../../plan/index.ts';
import type { CriteriaComparison } from '../../prune/index.ts';
import type { UnitScores } from '../../prune/internal.ts';
import type { PackResult } from '../bundle/pack.ts';
import type { LabelFacts } from '../compare/comparison.ts';
import type { Network } from '../network/network.ts';
import type { ComparedStrategy } from '../plan/strategy-comparison.ts';
import type { PruneResult } from '../prune/prune.ts';
import type { TwoSets } from '../samples/samples.ts';
import type { ComparedPlanner } from './planner-comparison.ts';
import type { FleetEvent, StreamedRequest } from './request-stream.ts';

/** Sizes of two files. Bytes. */
export interface FileSizes {
  readonly before: number;
  readonly after: number;
}

/** A step of the demo: that it begins, or its result. */
export type DemoStep =
  | { readonly step: 'network'; readonly network: Network; readonly grouping: Grouping }
  | { readonly step: 'samples'; readonly sets: TwoSets }
  | {
      readonly step: 'relevance';
      readonly criterion: string;
      readonly grouping: Grouping;
      readonly scores: UnitScores;
    }
  | { readonly step: 'comparing'; readonly criteria: readonly string[] }
  | { readonly step: 'compared'; readonly comparison: CriteriaComparison; readonly labels: LabelFacts }
  | { readonly step: 'pruning'; readonly macs: number }
  | { readonly step: 'pruned'; readonly pruned: PruneResult; readonly bytes: FileSizes }
  | { readonly step: 'packing'; readonly levels: number }
  | { readonly step: 'packed'; readonly packed: PackResult }
  | {
      readonly step: 'fleet';
      readonly fleet: Fleet;
      /** Addresses of the NATS server, if devices meet on one. */
      readonly servers: readonly string[] | undefined;
      /** Less confident answers are repeated on the unpruned network. */
      readonly margin: number;
    }
  | { readonly step: 'streaming'; readonly fleet: Fleet }
  /** `longest`: seconds of a long request, as a scale. */
  | { readonly step: 'request'; readonly request: StreamedRequest; readonly longest: number }
  | { readonly step: 'event'; readonly event: FleetEvent }
  | { readonly step: 'comparing strategies' }
  | { readonly step: 'strategies'; readonly rows: readonly ComparedStrategy[] }
  | { readonly step: 'planners'; readonly rows: readonly ComparedPlanner[] };

/** Hears of each step of the demo. */
export type DemoListener = (step: DemoStep) => void;
