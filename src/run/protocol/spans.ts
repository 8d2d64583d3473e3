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
  /** Bytes of its output that went to other devices or to the requester, as they travelled. */
  readonly bytes: number;
}

/** One run of a segment, for whoever asked. */
export interface TimedSegment {
  readonly device: string;
  readonly stage: number;
  readonly last: number;
  readonly segment: number;
  /**
   * Seconds from the request. Each device counts from when it heard of the request, which was at least so late that no
   * input arrives before it was sent. Figures of two devices may differ by as long as a short message travels.
   */
  readonly arrived: number;
  readonly started: number;
  readonly ended: number;
  /** Bytes of its output that went to other devices or to the requester, as they travelled. */
  readonly bytes: number;
}

/** To a microsecond. */
export function roundMs(milliseconds: number): number {
  return Math.round(1000 * milliseconds) / 1000;
}

/** A day: no span is longer. */
const MOST_MS = 86_400_000;

/** Names a run of a segment. */
const keyOf = ({ stage, segment }: SegmentSpan): string => `${stage} ${segment}`;

/** Spans of one request, each once. */
export class Spans {
  readonly #plan: RunPlan;
  readonly #begun: number;
  readonly #known = new Map<string, SegmentSpan>();

  /** @param begun seconds from the request to when its devices heard of it */
  constructor(plan: RunPlan, begun = 0) {
    this.#plan = plan;
    this.#begun = begun;
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

  /** With the devices of the plan. */
  timeline(): TimedSegment[] {
    const parts = this.all
      .map((span) => ({
        ...span,
        device: must(this.#plan.stages[span.stage]?.segments[span.segment], 'a segment').device,
      }))
      .sort((a, b) => a.stage - b.stage || a.segment - b.segment);
    const late = delaysOf(parts);
    return parts.map(({ device, stage, last, segment, arrived, started, ended, bytes }) => {
      const at = (time: number): number => this.#begun + ((late.get(device) ?? 0) + time) / 1000;
      return {
        ...{ device, stage, last, segment, bytes },
        ...{ arrived: at(arrived), started: at(started), ended: at(ended) },
      };
    });
  }
}

/**
 * How long after the requester began each device heard of the request, at least: no input arrives before it was sent.
 * Milliseconds, by device; the smallest that agree with all spans.
 */
function delaysOf(parts: readonly (SegmentSpan & { readonly device: string })[]): Map<string, number> {
  const late = new Map(parts.map(({ device }): [string, number] => [device, 0]));
  // A later start of one device may make its receivers later: at most once around for each device.
  for (let round = 0; round < late.size; round++) {
    let isDone = true;
    for (const part of parts) {
      for (const sender of parts.filter(({ last }) => last === part.stage - 1)) {
        const sent = (late.get(sender.device) ?? 0) + sender.ended;
        if (sender.device === part.device || sent <= (late.get(part.device) ?? 0) + part.arrived) continue;
        late.set(part.device, sent - part.arrived);
        isDone = false;
      }
    }
    if (isDone) break;
  }
  return late;
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
  const { stage, last, segment, arrived, started, ended, bytes } = value as Partial<SegmentSpan>;
  const times = [arrived, started, ended];
  return (
    isIndex(stage) &&
    isIndex(last) &&
    isIndex(segment) &&
    isIndex(bytes) &&
    stage <= last &&
    last < stages.length &&
    segment < (stages[stage]?.segments.length ?? 0) &&
    times.every((time, i) => typeof time === 'number' && time >= (times[i - 1] ?? 0) && time <= MOST_MS)
  );
}

function isIndex(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0;
}
