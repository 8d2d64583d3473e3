// Stage fusion: one session runs consecutive whole stages of a device, which saves the start of a session and the
// handover of a tensor between each two. This file decides which stages are fused.
import { must } from '../../util/index.ts';
import { isEightBit, type RunPlan } from '../protocol/plan.ts';

/** Consecutive stages, both ends included. */
export interface StageSpan {
  readonly first: number;
  readonly last: number;
}

/** The spans of a plan on a device: each split stage alone, and consecutive whole stages of one precision together. */
export function spansOn(plan: RunPlan, device: string): StageSpan[] {
  const spans: StageSpan[] = [];
  plan.stages.forEach(({ segments }, first) => {
    if (!segments.some((segment) => segment.device === device)) return;
    if (!continues(plan, first, device)) {
      spans.push(spanAt(plan, first, device));
    }
  });
  return spans;
}

/**
 * The span that begins with a stage. It is the stage alone if the stage is split, or if the stage before is whole on
 * the device too, in the same precision: then the device is in the middle of a span that it runs stage by stage.
 */
export function spanAt(plan: RunPlan, first: number, device: string): StageSpan {
  let last = first;
  if (!isWholeOn(plan, first, device) || continues(plan, first, device)) return { first, last };
  while (isWholeOn(plan, last + 1, device) && isEightBit(plan, last + 1) === isEightBit(plan, first)) last++;
  return { first, last };
}

/** Whether a stage is in the middle of a span: whole on the device, as the one before it, in the same precision. */
function continues(plan: RunPlan, stage: number, device: string): boolean {
  const both = isWholeOn(plan, stage, device) && isWholeOn(plan, stage - 1, device);
  return both && isEightBit(plan, stage) === isEightBit(plan, stage - 1);
}

function isWholeOn({ stages }: RunPlan, stage: number, device: string): boolean {
  const segments = stages[stage]?.segments;
  return segments?.length === 1 && must(segments[0], 'a segment').device === device;
}

/** A span that ran stage by stage. */
export interface UnfusedSpan {
  readonly bundle: string;
  readonly plan: RunPlan;
  readonly span: StageSpan;
}

/** Number of spans that are counted. */
const REMEMBERED = 1024;

/**
 * Counts spans that ran stage by stage. A span is fused when it comes a second time. Earlier it is not worth a session
 * of its own, because the sessions of single stages serve other plans too.
 */
export class StageFusion {
  readonly #times = new Map<string, number>();
  readonly #byRequest = new Map<string, UnfusedSpan[]>();

  /** Records that a request ran a span stage by stage. */
  recordUnfused(request: string, key: string, missed: UnfusedSpan): void {
    const times = (this.#times.get(key) ?? 0) + 1;
    if (this.#times.size >= REMEMBERED) this.#times.clear();
    this.#times.set(key, times);
    if (times < 2) return;
    this.#byRequest.set(request, [...(this.#byRequest.get(request) ?? []), missed]);
  }

  /** Removes and returns the spans to fuse now that a request has ended. */
  takeDue(request: string): readonly UnfusedSpan[] {
    const due = this.#byRequest.get(request) ?? [];
    this.#byRequest.delete(request);
    return due;
  }
}

/** The stages of a span. */
export function stagesOf({ first, last }: StageSpan): number[] {
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}
