// Hidden units of recurrent layers are chosen one by one, and take what blocks of other layers leave of a budget.
import { expect, it } from 'vitest';
import { findGroups } from '../../channels/index.ts';
import { macsCounter } from '../../channels/internal.ts';
import { canonicalModel } from '../../onnx/index.ts';
import { lastStepNet } from '../../onnx/test-support/recurrent-nets.ts';
import { must } from '../../util/index.ts';
import { selectForMacs } from './budget.ts';

it.each([0.8, 0.6, 0.4])('fills a budget of %f with hidden units', (macsFraction) => {
  const model = canonicalModel(lastStepNet('LSTM'));
  const grouping = findGroups(model);
  expect(grouping.groups.map(({ isRecurrent }) => isRecurrent)).toEqual([undefined, true]);
  const scores = new Map(
    grouping.groups.map(({ id, channels }) => [id, new Float64Array(channels).map((_, u) => u)]),
  );
  const keep = selectForMacs(model, grouping, scores, { macsFraction, block: 3 });
  const [conv, lstm] = [must(keep.get(0), 'convolution'), must(keep.get(1), 'units')];
  expect([3, 6]).toContain(conv.length);
  const count = macsCounter(model, grouping);
  const full = count(new Map());
  expect(count(keep)).toBeLessThanOrEqual(macsFraction * full);
  // The best units stay, and one more would not fit.
  expect(lstm).toEqual([0, 1, 2, 3, 4].slice(5 - lstm.length));
  if (lstm.length < 5)
    expect(count(new Map(keep).set(1, [4 - lstm.length, ...lstm]))).toBeGreaterThan(macsFraction * full);
});
