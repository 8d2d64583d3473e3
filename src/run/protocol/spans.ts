// When each device got, began and ended its part of a request: sent along with the tensors, where the requester asks.
import { must } from '../../util/index.ts';
import type { RunPlan } from './plan.ts';

/** One run of a segment. Milliseconds since the device heard of the request: the clocks of devices need not agree. */
export interface SegmentSpan {
  readonly stage: number;
  /** Last stage of those that ran as one. */
  readonly last: number;
  readonly segment: number;
  /** When all of its input was there. */
  readonly arrived: number;
  readonly started: number;
  readonly ended: number;
}

/** One run of a segment, for whoever asked. */
export interface TimedSegment {
  readonly device: string;
  readonly stage: number;
  readonly last: number;
  readonly segment: number;
  /**
   * Seconds from the request. Each device counts from when it heard of the request, so that figures of two devices may
   * differ by as long as a short message travels.
   */
  readonly arrived: number;
  readonly started: number;
  readonly ended: number;
}

/** A day: no span is longer. */
const MOST_MS = 86_400_000;

/** Names a run of a segment. */
const keyOf = ({ stage, segment }: SegmentSpan): string => `${stage} ${segment}`;

/** Spans of one request, each once. */
export class Spans {
  readonly #plan: RunPlan;
  readonly #known = new Map<string, SegmentSpan>();

  constructor(plan: RunPlan) {
    this.#plan = plan;
  }

  get all(): readonly SegmentSpan[] {
    return [...this.#known.values()];
  }

  /** Adds spans as they were received; what the plan does not have, or cannot be, is left out. */
  add(received: unknown): void {
    if (!Array.isArray(received)) return;
    for (const span of received as unknown[]) {
      if (isSpan(span, this.#plan) && !this.#known.has(keyOf(span))) this.#known.set(keyOf(span), span);
    }
  }

  /** With the devices of the plan. @param begun seconds from the request to when its devices heard of it */
  timeline(begun: number): TimedSegment[] {
    return this.all
      .map(({ stage, last, segment, arrived, started, ended }) => ({
        device: must(this.#plan.stages[stage]?.segments[segment], 'a segment').device,
        ...{ stage, last, segment },
        arrived: begun + arrived / 1000,
        started: begun + started / 1000,
        ended: begun + ended / 1000,
      }))
      .sort((a, b) => a.stage - b.stage || a.segment - b.segment);
  }
}

/** A timeline that begins later. @param by seconds */
export function shifted(timeline: readonly TimedSegment[], by: number): TimedSegment[] {
  return timeline.map((one) => ({
    ...one,
    arrived: one.arrived + by,
    started: one.started + by,
    ended: one.ended + by,
  }));
}

function isSpan(value: unknown, { stages }: RunPlan): value is SegmentSpan {
  if (typeof value !== 'object' || value === null) return false;
  const { stage, last, segment, arrived, started, ended } = value as Partial<SegmentSpan>;
  const times = [arrived, started, ended];
  return (
    isIndex(stage) &&
    isIndex(last) &&
    isIndex(segment) &&
    stage <= last &&
    last < stages.length &&
    segment < (stages[stage]?.segments.length ?? 0) &&
    times.every((time, i) => typeof time === 'number' && time >= (times[i - 1] ?? 0) && time <= MOST_MS)
  );
}

function isIndex(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0;
}
