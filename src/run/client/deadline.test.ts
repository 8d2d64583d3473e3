// A request without a result ends a little before its deadline, because timers may be late.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bundleOf } from '../../bundle/test-support/contents.ts';
import { tensor } from '../../engine/index.ts';
import { canonicalGraph } from '../../onnx/internal.ts';
import { localPlanOf } from '../test-support/bundles.ts';
import { mixedNet } from '../test-support/mixed-net.ts';
import { Batcher } from './batches.ts';
import { Coordinator } from './coordinator.ts';
import type { InferenceClient } from './inference.ts';

describe('a deadline', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const bundle = bundleOf(canonicalGraph(mixedNet()));
  const input = tensor(new Float32Array(1), [1, 1]);
  const plan = localPlanOf(
    bundle,
    'nobody',
    bundle.manifest.groups.map(() => 0),
  );

  it.each([
    [10, 9979, 9981],
    [0.1, 94, 96],
  ])('of %f s is met by 20 ms, or a twentieth of it', async (deadline, before, after) => {
    const coordinator = new Coordinator('requester', { ...bundle, sha256: '' });
    const batcher = new Batcher(coordinator, { most: 4, window: 0.01 });
    for (const asker of [coordinator, batcher] satisfies InferenceClient[]) {
      let code = '';
      asker.infer(input, plan, { deadline }).catch((error) => {
        code = error.code;
      });
      await vi.advanceTimersByTimeAsync(before);
      expect(code).toBe('');
      await vi.advanceTimersByTimeAsync(after - before);
      expect(code).toBe('E_DEADLINE');
    }
  });
});
