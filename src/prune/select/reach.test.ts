// The block that lets a budget be reached is the largest of the processor's that selection then really meets.
import { expect, it } from 'vitest';
import { findGroups } from '../../channels/index.ts';
import { macsCounter } from '../../channels/internal.ts';
import { Net } from '../../channels/test-support/net.ts';
import { canonicalModel } from '../../onnx/index.ts';
import { lastStepNet } from '../../onnx/test-support/recurrent-nets.ts';
import { detectBlock } from './block.ts';
import { selectForMacs } from './budget.ts';
import { reachingBlock, usualBlock } from './reach.ts';

const net = new Net([2, 6, 6]);
const model = net.head(net.relu(net.conv('b', net.relu(net.conv('a', net.input, 2, 32)), 32, 16)), 16);
const grouping = findGroups(model);
const scores = new Map(grouping.groups.map(({ id, channels }) => [id, new Float64Array(channels).fill(1)]));
const count = macsCounter(model, grouping);

it.each([0.9, 0.5, 0.3, 0.2, 0.1, 0.05])('meets %f with the largest block that can', (macsFraction) => {
  const block = reachingBlock(model, grouping, macsFraction, 16);
  const keep = selectForMacs(model, grouping, scores, { macsFraction, block });
  expect(count(keep)).toBeLessThanOrEqual(macsFraction * count(new Map()));
  if (block === 16) return;
  expect(() => selectForMacs(model, grouping, scores, { macsFraction, block: 2 * block })).toThrow(
    'cannot be reached',
  );
});

it('gives the block back where nothing reaches the budget, so that the refusal speaks of it', () => {
  expect(reachingBlock(model, grouping, 1e-9, 16)).toBe(16);
  expect(reachingBlock(model, grouping, 0.3, 16, new Set([0, 1]))).toBe(16);
});

it('is that of the processor, but at most 8 for recurrent layers without two-dimensional convolutions', () => {
  expect(usualBlock(model, grouping)).toBe(detectBlock());
  const recurrent = canonicalModel(lastStepNet('LSTM'));
  expect(usualBlock(recurrent, findGroups(recurrent))).toBe(8);
});
