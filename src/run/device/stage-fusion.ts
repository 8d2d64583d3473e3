// Whole stages that follow each other on one device: one session runs them, without a session's start and a tensor's way
// between each two. Which of them become one.
import { must } from '../../util/index.ts';
import type { RunPlan } from '../protocol/plan.ts';

/** Consecutive stages, both ends included. */
export interface StageSpan {
  readonly first: number;
  readonly last: number;
}

/** The parts of a plan on a device: stages that are split, each for itself, and whole ones as long as they follow on. */
export function spansOn(plan: RunPlan, device: string): StageSpan[] {
  const spans: StageSpan[] = [];
  plan.stages.forEach(({ segments }, first) => {
    if (!segments.some((segment) => segment.device === device)) return;
    if (!isWholeOn(plan, first, device) || !isWholeOn(plan, first - 1, device)) {
      spans.push(spanAt(plan, first, device));
    }
  });
  return spans;
}

/**
 * The span that begins with a stage. Alone if it is split, and if the stage before is whole on the device too: then it is
 * in the middle of a span that runs one by one.
 */
export function spanAt(plan: RunPlan, first: number, device: string): StageSpan {
  let last = first;
  if (!isWholeOn(plan, first, device) || isWholeOn(plan, first - 1, device)) return { first, last };
  while (isWholeOn(plan, last + 1, device)) last++;
  return { first, last };
}

function isWholeOn({ stages }: RunPlan, stage: number, device: string): boolean {
  const segments = stages[stage]?.segments;
  return segments?.length === 1 && must(segments[0], 'a segment').device === device;
}

/** A span that could have run as one. */
export interface UnfusedSpan {
  readonly bundle: string;
  readonly plan: RunPlan;
  readonly span: StageSpan;
}

/** How many keys are counted. */
const REMEMBERED = 1024;

/**
 * Counts spans that ran one by one. A plan that comes once is not worth a session of its own, as its stages' sessions serve
 * other plans too; one that comes again is.
 */
export class StageFusion {
  readonly #times = new Map<string, number>();
  readonly #byRequest = new Map<string, UnfusedSpan[]>();

  /** A request ran a span one by one. */
  recordUnfused(request: string, key: string, missed: UnfusedSpan): void {
    const times = (this.#times.get(key) ?? 0) + 1;
    if (this.#times.size >= REMEMBERED) this.#times.clear();
    this.#times.set(key, times);
    if (times < 2) return;
    this.#byRequest.set(request, [...(this.#byRequest.get(request) ?? []), missed]);
  }

  /** What is to become one, now that the request has ended. */
  takeDue(request: string): readonly UnfusedSpan[] {
    const due = this.#byRequest.get(request) ?? [];
    this.#byRequest.delete(request);
    return due;
  }
}
