// Runs requests under faults on any fabric, and records how each of them ends.
import type { Bundle } from '../../bundle/index.ts';
import { randomLevels } from '../../bundle/test-support/contents.ts';
import type { FloatTensor } from '../../engine/index.ts';
import { BedsideError, must } from '../../util/index.ts';
import type { Random } from '../../util/internal.ts';
import type { InferenceResult } from '../client/inference.ts';
import type { RunPlan } from '../protocol/plan.ts';
import { randomSample } from './bundles.ts';

/** Options of a soak test. */
export interface SoakOptions {
  /** In a folder, as other processes open it. */
  readonly bundle: Bundle;
  readonly requests: number;
  readonly random: Random;
  /** Requests at a time. */
  readonly together: number;
  /** One in so many requests brings a fault. */
  readonly faultEvery: number;
  /** Seconds; one request in ten has a tenth of it, and so has one that is hurried. */
  readonly deadline: number;
  readonly onProgress?: (done: number) => void;
}

/** A fault that strikes a device right before a request that needs it. */
export interface Strike {
  readonly victim: string;
  /** Whether the request has little time. */
  readonly hurried: boolean;
  /** Called right before the request. */
  strike(): void;
}

/** Workers, their coordinator, and the faults that may strike them. */
export interface SoakFixture extends AsyncDisposable {
  /** Requests that have not ended. */
  readonly running: number;
  /** Number of faults, by kind. */
  readonly faults: Readonly<Record<string, number>>;
  /** The next fault; undefined while there is no worker that it may strike. */
  fault(): Strike | undefined;
  /** A random plan, which needs the victim where there is one. */
  planWith(victim: string | undefined, levels: readonly number[]): RunPlan;
  infer(input: FloatTensor, plan: RunPlan, deadline: number): Promise<InferenceResult>;
  /** Largest difference between the logits of a result and those of one machine. */
  difference(answer: InferenceResult, input: FloatTensor): Promise<number>;
}

/** How requests ended. */
export interface SoakResult {
  readonly answered: number;
  /** Number of these that were replanned on the way. */
  readonly moved: number;
  /** Coded errors, by code. */
  readonly failed: Readonly<Record<string, number>>;
  /** Coded errors of requests that had a tenth of the time. */
  readonly failedHurried: number;
  /** Failures of the test: other logits, or errors without a code. */
  readonly wrong: readonly string[];
  /** Requests that ended twice, or have not ended. */
  readonly twice: number;
  readonly unended: number;
  readonly maxDifference: number;
  /** Requests that ended after their deadline, and seconds that the latest came after it. */
  readonly after: number;
  readonly late: number;
  readonly faults: Readonly<Record<string, number>>;
}

/** Runs requests under faults. */
export async function soak(
  options: SoakOptions,
  open: (bundle: Bundle, random: Random) => Promise<SoakFixture>,
): Promise<SoakResult> {
  const { bundle, random, requests, together } = options;
  await using fixture = await open(bundle, random);
  const levels = Array.from({ length: 4 }, () => randomLevels(bundle.manifest, random));
  const ended = new Map<number, number>();
  const failed: Record<string, number> = {};
  const wrong: string[] = [];
  let [answered, moved, failedHurried, maxDifference, late, after, next] = [0, 0, 0, 0, 0, 0, 0];

  async function one(index: number): Promise<void> {
    const fault = index % options.faultEvery === 0 ? fixture.fault() : undefined;
    const hurried = fault?.hurried || random.integer(10) === 0;
    const deadline = options.deadline / (hurried ? 10 : 1);
    const input = randomSample(bundle, random);
    const plan = fixture.planWith(fault?.victim, must(levels[random.integer(levels.length)], 'levels'));
    fault?.strike();
    const start = performance.now();
    const end = (): void => {
      ended.set(index, (ended.get(index) ?? 0) + 1);
      const over = (performance.now() - start) / 1000 - deadline;
      if (over > 0) after++;
      late = Math.max(late, over);
    };
    let answer: InferenceResult;
    try {
      answer = await fixture.infer(input, plan, deadline).finally(end);
    } catch (error) {
      if (BedsideError.is(error) && error.code !== 'E_INTERNAL') {
        failed[error.code] = (failed[error.code] ?? 0) + 1;
        if (hurried) failedHurried++;
      } else wrong.push(String(error));
      return;
    }
    answered++;
    if (answer.replanned > 0) moved++;
    const difference = await fixture.difference(answer, input);
    maxDifference = Math.max(maxDifference, difference);
    if (!(difference < 1e-4)) wrong.push(`request ${index} is ${difference} off`);
  }

  const lane = async (): Promise<void> => {
    while (next < requests) {
      await one(next++);
      options.onProgress?.(ended.size);
    }
  };
  await Promise.all(Array.from({ length: together }, lane));
  return {
    ...{ answered, moved, failed, failedHurried, wrong, maxDifference, after, late },
    twice: [...ended.values()].filter((times) => times > 1).length,
    unended: requests - ended.size + fixture.running,
    faults: fixture.faults,
  };
}
