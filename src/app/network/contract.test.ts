// Where a network's contract is found, what goes before what, and that models and bundles keep it.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { npyArray, writeNpz } from '../../data/index.ts';
import { saveModel } from '../../onnx/index.ts';
import { floatConstant, GraphBuilder, withMetadata } from '../../onnx/internal.ts';
import { inspect } from '../inspect/inspect.ts';
import { KeptJournal } from '../reporter.ts';
import { loadSamples } from '../samples/samples.ts';
import { networkOf } from './network.ts';

const defaults = { split: 'all', seed: 1 } as const;

let folder: string;
let model: string;

function network() {
  const builder = new GraphBuilder();
  builder.input('x', ['N', 2]);
  const weight = builder.constant(floatConstant([1, 0, 0, 1], [2, 2]), 'w');
  builder.output(builder.node('MatMul', ['x', weight], {}, 'y'), ['N', 2]);
  return builder.model();
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-contract-'));
  model = join(folder, 'net.onnx');
  await saveModel(network(), model);
  const x = npyArray([3, 2], Float32Array.from([1, 0, 0, 1, 1, 1]));
  const y = npyArray([3], Uint8Array.from([0, 1, 2]));
  await writeFile(join(folder, 'd.npz'), writeNpz({ x, y }));
});
beforeEach(() =>
  Promise.all(['net.json', 'model.json'].map((file) => rm(join(folder, file), { force: true }))),
);
afterAll(() => rm(folder, { recursive: true, force: true }));

const write = (file: string, value: unknown) => writeFile(join(folder, file), JSON.stringify(value));

describe('a contract', () => {
  it('is the file of the model, else model.json; a file of another subject is told', async () => {
    await write('model.json', { classes: ['a', 'b'] });
    const journal = new KeptJournal();
    expect((await networkOf(model, {}, journal)).classifier.contract?.classes).toEqual(['a', 'b']);
    await write('net.json', { nodes: [] });
    await networkOf(model, {}, journal);
    expect(journal.said().remarks).toEqual([expect.stringMatching(/net.json has no field of a contract/)]);
    await write('net.json', { classes: ['c', 'd'] });
    expect((await networkOf(model)).classifier.contract).toEqual({ classes: ['c', 'd'] });
  });

  it('gives way to options, field by field, and goes before metadata', async () => {
    await write('net.json', { classes: ['a', 'b'], image: { mean: 1 } });
    const own = join(folder, 'own.onnx');
    await saveModel(withMetadata(network(), 'bedside.image.scale', '2'), own);
    await write('own.json', { classes: ['a', 'b'], image: { mean: 1 } });
    const { said } = await networkOf(own, { labels: ['c', 'd'], classMap: { 0: 1 } });
    expect(said.contract).toEqual({ classes: ['c', 'd'], classMap: { 0: 1 }, image: { mean: 1, scale: 2 } });
    expect(said.from['image.scale']).toBe('metadata');
    const other = await networkOf(own, { contract: { task: 'embedding' } });
    expect(other.said.contract).toEqual({ task: 'embedding', image: { scale: 2 } });
  });

  it('stays in what is written, and is said of networks that are loaded', async () => {
    const { canonical } = await networkOf(model, { labels: ['a', 'b'] });
    await saveModel(canonical, join(folder, 'kept.onnx'));
    const kept = await networkOf(join(folder, 'kept.onnx'));
    expect(kept.classifier.contract).toEqual({ classes: ['a', 'b'] });
    const again = await networkOf(kept, { labels: ['c', 'd'] });
    expect(again.classifier.contract).toEqual({ classes: ['c', 'd'] });
  });

  it('is how data are read; options of the call go before it', async () => {
    const { classifier } = await networkOf(model, { classMap: { 0: 0, 1: 1, 2: null } });
    const data = join(folder, 'd.npz');
    const read = await loadSamples(classifier, { data }, defaults, new KeptJournal());
    expect([...(read.labels ?? [])]).toEqual([0, 1]);
    const options = { data, classMap: { 0: 1, 1: 0, 2: 0 }, labels: ['a', 'b'] };
    const other = await loadSamples(classifier, options, defaults, new KeptJournal());
    expect([[...(other.labels ?? [])], other.classNames]).toEqual([
      [1, 0, 0],
      ['a', 'b'],
    ]);
    const wrong = loadSamples(classifier, { data, labels: ['a'] }, defaults, new KeptJournal());
    await expect(wrong).rejects.toMatchObject({ code: 'E_CONTRACT' });
  });

  it.each([
    [{ labels: ['a'] }, /1 classes are named \(a\), and .*net.onnx has 2/],
    [{ contract: { inputs: ['z'] } }, /names the inputs z, and .*net.onnx has x/],
    [{ output: 'z' }, /has no output 'z'; its outputs are y/],
    [{ contract: { classes: ['a', 'b'] }, classMap: { n: 'c' } }, /classMap.n is "c"/],
  ])('%j of another network is refused', async (options, message) => {
    await expect(networkOf(model, options)).rejects.toMatchObject({ code: 'E_CONTRACT' });
    await expect(networkOf(model, options)).rejects.toThrow(message);
  });

  it('is shown by inspect, with where each field comes from', async () => {
    const said = {
      classes: ['a', 'b'],
      signal: { samplingRate: 100, window: { around: 'beat', before: 1 } },
    };
    await write('net.json', said);
    const { task, inputs, outputs } = await inspect(model, undefined, { labels: ['c', 'd'] });
    expect(task).toBe('single-label');
    expect(inputs[0]).toMatchObject({
      contract: {
        signal: { leads: [['MLII', '*']], samplingRate: 100, window: { before: 1 }, layout: 'leads-first' },
      },
      from: { 'signal.samplingRate': 'model.json', 'signal.leads': 'default', 'signal.layout': 'shape' },
    });
    expect(outputs[0]).toMatchObject({
      contract: { task: 'single-label', classes: ['c', 'd'], probabilities: false },
      from: { classes: 'options', task: 'output' },
    });
  });

  it('leaves class names of other tools that do not fit', async () => {
    const named = join(folder, 'named.onnx');
    await saveModel(withMetadata(network(), 'names', "{0: 'a'}"), named);
    const journal = new KeptJournal();
    const { classifier, said } = await networkOf(named, {}, journal);
    expect([classifier.contract, said.contract]).toEqual([undefined, {}]);
    expect(journal.said().remarks).toEqual([expect.stringMatching(/names 1 classes, and it has 2/)]);
  });
});
