// The last requests, for whoever watches: what was decided and how long it took. Never a sample, a score, or an id that a
// client gave.
import type { PlanChoice } from '../../app/index.ts';
import type { FallbackResult } from '../../run/index.ts';
import { devicesOf, type TimedSegment } from '../../run/internal.ts';
import { deleteOldest } from '../../util/internal.ts';
import type { RequestRow, SampleTimeline, TimedPart } from '../dashboard/wire-requests.ts';
import { leastSure } from './answer-facts.ts';
import type { Served, ServedModel } from './served-model.ts';

/** Requests that are kept, and samples of one whose times are. */
export const MOST_REQUESTS = 1000;
const MOST_SAMPLES = 8;

/** The devices and the request of a moment, by which a plan can be judged later. */
export interface KeptMoment {
  readonly fleet: ServedModel['deployment']['fleet'];
  readonly basis: ServedModel['deployment']['basis'];
  readonly lost: readonly string[];
}

/** What is kept of a result: its scores are not for pages that watch. */
export type KeptResult = Pick<FallbackResult, 'seconds' | 'margin' | 'fallback' | 'plan' | 'timeline'>;

/** A request that is kept. */
export interface KeptRequest {
  readonly row: RequestRow;
  readonly asked: PlanChoice;
  readonly results: readonly KeptResult[];
  readonly moment: KeptMoment;
}

/** Remembers the last requests by number. */
export class RequestHistory {
  readonly #kept = new Map<number, KeptRequest>();
  readonly #tell: (row: RequestRow) => void;
  #seq = 0;

  constructor(tell: (row: RequestRow) => void) {
    this.#tell = tell;
  }

  /** The newest first. */
  get rows(): RequestRow[] {
    return [...this.#kept.values()].map(({ row }) => row).reverse();
  }

  find(seq: number): KeptRequest | undefined {
    return this.#kept.get(seq);
  }

  /** Keeps an answered request. @param seconds from its arrival to its answer */
  answered(model: ServedModel, kind: RequestRow['kind'], served: Served, seconds: number): void {
    const { results, waited, computed, variant, asked } = served;
    const [first] = results;
    const worst = results.find(({ fallback }) => fallback !== 'none')?.fallback ?? 'none';
    this.#keep(model, asked, results.slice(0, MOST_SAMPLES), {
      ...{ kind, code: 'ok', seconds, waited, computed, samples: results.length },
      variant: variant ?? null,
      devices: first ? devicesOf(first.plan) : [],
      confidence: leastSure(results) ?? null,
      fallback: worst,
      replanned: results.reduce((sum, { replanned }) => sum + replanned, 0),
    });
  }

  /** Keeps a request that failed. @param code that of its error */
  failed(model: ServedModel, kind: RequestRow['kind'], code: string, seconds: number): void {
    this.#keep(model, {}, [], {
      ...{ kind, code, seconds, waited: null, computed: null, samples: 0, variant: null, devices: [] },
      ...{ confidence: null, fallback: 'none', replanned: 0 },
    });
  }

  #keep(
    { name: model, deployment }: ServedModel,
    asked: PlanChoice,
    results: readonly FallbackResult[],
    facts: Omit<RequestRow, 'seq' | 'at' | 'model'>,
  ): void {
    const row: RequestRow = { seq: ++this.#seq, at: Date.now(), model, ...facts };
    const { fleet, basis, lost } = deployment;
    const plain = results.map(({ seconds, margin, fallback, plan, timeline }) => {
      return { seconds, margin, fallback, plan, timeline };
    });
    this.#kept.set(row.seq, { row, asked, results: plain, moment: { fleet, basis, lost } });
    if (this.#kept.size > MOST_REQUESTS) deleteOldest(this.#kept);
    this.#tell(row);
  }
}

/** The timeline of a sample. */
export function timelineOf({ seconds, margin, fallback, plan, timeline = [] }: KeptResult): SampleTimeline {
  return {
    ...{ seconds, fallback, levels: plan.levels },
    confidence: Number.isNaN(margin) ? null : margin,
    parts: timeline.map((part, at) => partOf(part, timeline.slice(0, at))),
  };
}

/** @param earlier parts of the same request that come before, also those of a run before this one */
function partOf(part: TimedSegment, earlier: readonly TimedSegment[]): TimedPart {
  const senders = earlier.filter(({ last }) => last === part.stage - 1);
  const runs = earlier.filter(({ stage }) => stage === 0).length;
  // The first stage gets its input from the requester, as the request begins; that of a second run when the first ended.
  const from =
    part.stage > 0 ? Math.max(0, ...senders.map(({ ended }) => ended)) : runs === 0 ? 0 : part.arrived;
  const { device, stage, last, segment, arrived, started, ended } = part;
  return { device, stage, last, segment, transfer: Math.max(0, arrived - from), arrived, started, ended };
}
