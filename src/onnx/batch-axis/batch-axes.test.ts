// What is said of samples is held against the engine: the part of a sample is what the network gives for it alone.
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../builder.ts';
import { cloneModel, int, intConstant, ints, type Model, sizeOf, string } from '../graph.ts';
import { BATCH_NETS, BatchNet } from '../test-support/batch-nets.ts';
import { randomFeeds, run } from '../test-support/models.ts';
import { batchAxes } from './batch-axes.ts';
import { batchAxisOf, isBatchFirst, sampleOf } from './place.ts';

/** Runs three samples together and one by one; returns how many values were compared, and the largest difference. */
async function againstAlone(model: Model): Promise<{ compared: number; most: number }> {
  const places = batchAxes(model);
  const all = cloneModel(model);
  all.graph.outputs = [];
  const builder = new GraphBuilder(all.graph);
  for (const name of model.graph.nodes.flatMap(({ outputs }) => outputs)) {
    if (places.get(name)?.kind === 'axis') builder.output(name, undefined);
  }
  const feeds = randomFeeds(model, 3);
  const together = await run(all, feeds);
  let [compared, most] = [0, 0];
  for (let sample = 0; sample < 3; sample++) {
    const own = Object.fromEntries(
      Object.entries(feeds).map(([name, { dims, data }]) => {
        const size = sizeOf(dims.slice(1));
        const part = (data as Float32Array).slice(sample * size, (sample + 1) * size);
        return [name, { type: 'float32' as const, dims: [1, ...dims.slice(1)], data: part }];
      }),
    );
    const alone = await run(all, own);
    for (const [name, value] of Object.entries(together)) {
      const place = places.get(name);
      const single = alone[name];
      if (place?.kind !== 'axis' || value.type !== 'float32' || single?.type !== 'float32') continue;
      const part = sampleOf(value.data, value.dims, place, sample);
      expect(part.length, name).toBe(single.data.length);
      single.data.forEach((x, i) => {
        most = Math.max(most, Math.abs(x - (part[i] as number)));
      });
      compared++;
    }
  }
  return { compared, most };
}

describe('batchAxes', () => {
  it.each(Object.keys(BATCH_NETS))('finds each sample in every value: %s', async (name) => {
    const model = (BATCH_NETS[name] as () => Model)();
    const { compared, most } = await againstAlone(model);
    expect(compared).toBe(3 * model.graph.nodes.reduce((sum, { outputs }) => sum + outputs.length, 0));
    expect(most).toBeLessThan(1e-5);
  });

  it.each(Object.keys(BATCH_NETS))('says the same of a batch that is fixed: %s', (name) => {
    const make = BATCH_NETS[name] as (batch?: number) => Model;
    const [open, fixed] = [batchAxes(make()), batchAxes(make(4))];
    for (const [value, place] of open) expect(fixed.get(value), value).toEqual(place);
  });

  it('follows shapes that are computed, recurrent layers, products, einsums and gathers', async () => {
    const net = new BatchNet([6, 4]);
    const lead = (axis: number): string =>
      net.op('Gather', [net.op('Shape', [net.input]), net.builder.constant(intConstant([axis]), 'i')]);
    const rows = net.op('Concat', [net.builder.ints([-1]), lead(2)], { axis: int(0) });
    const flat = net.relu(net.linear(net.op('Reshape', [net.input, rows]), 4, 4));
    const shape = net.op('Concat', [lead(0), lead(1), net.builder.ints([4])], { axis: int(0) });
    const steps = net.turned(net.op('Reshape', [flat, shape]), [1, 0, 2]);
    const weights = [net.weights([1, 9, 4], 0.5), net.weights([1, 9, 3], 0.5)];
    const [, last] = net.builder.nodes('GRU', [steps, ...weights], { hidden_size: int(3) }, ['all', 'last']);
    const picked = net.op('Gather', [steps, net.builder.constant(intConstant([2], []), 'i')]);
    const square = net.op('MatMul', [net.turned(steps, [1, 0, 2]), net.turned(steps, [1, 2, 0])]);
    const mixed = net.builder.node('Einsum', [net.op('Softmax', [square], { axis: int(2) }), steps], {
      equation: string('nij,jnc->cin'),
    });
    const model = net.classify(picked, 4);
    for (const name of [last as string, mixed]) net.builder.output(name, undefined);
    const { most } = await againstAlone(model);
    expect(most).toBeLessThan(1e-5);
    const places = batchAxes(model);
    expect(places.get(last as string)).toMatchObject({ axis: 1, before: 1, after: 1 });
    expect(places.get(mixed)).toMatchObject({ axis: 2, before: 1, after: 1 });
    expect(isBatchFirst(places.get('y'))).toBe(true);
  });

  it.each([
    [
      'a mean over the batch',
      (net: BatchNet) => net.op('Sub', [net.input, net.op('ReduceMean', [net.input], { axes: ints([0]) })]),
    ],
    [
      'a convolution along the batch',
      (net: BatchNet) => net.turned(net.conv(net.turned(net.input, [1, 2, 0]), 4, 4, [3]), [2, 0, 1]),
    ],
    ['an operator that is not followed', (net: BatchNet) => net.builder.node('Det', [net.input])],
  ])('does not know behind %s, and says why', (_, make) => {
    const net = new BatchNet([4, 4]);
    const value = make(net);
    const model = net.classify(net.op('Flatten', [value]), 16);
    const place = batchAxes(model).get(value);
    expect(place?.kind).toBe('unknown');
    expect(() => batchAxisOf(batchAxes(model), value, 'what it gives')).toThrow(
      /which samples what it gives belongs to/,
    );
    expect(isBatchFirst(place)).toBe(false);
  });
});
