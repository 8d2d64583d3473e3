// Networks with operators that have no shape rule, at the command line: sizes come from the engine, and nodes whose
// multiply-accumulates nobody knows are named by every command that shows a count or a share.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Model, writeModel } from 'bedside/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { floatConstant, GraphBuilder, intConstant, ints } from '../src/onnx/internal.ts';
import { Random } from '../src/util/internal.ts';
import { CLASSES, type Cli, compileCli, smallData } from './support/cli.ts';
import { ROOT } from './support/made-once.ts';

let cli: Cli;
let folder: string;
beforeAll(async () => {
  cli = await compileCli();
  folder = await mkdtemp(join(tmpdir(), 'bedside-uncounted-'));
  await writeFile(join(folder, 'model.onnx'), writeModel(network('Det')));
  await writeFile(join(folder, 'softsign.onnx'), writeModel(network('Softsign')));
  await writeFile(join(folder, 'data.npz'), smallData(60));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const KNOWN = 64 * 9 * 8 + 64 * 9 * 8 * 16;

/** Two convolutions, the mean over space, a linear layer; behind or before it an operator without a shape rule. */
function network(op: 'Det' | 'Softsign'): Model {
  const random = new Random(5);
  const builder = new GraphBuilder();
  const weight = (...dims: number[]): string => {
    const length = dims.reduce((product, dim) => product * dim, 1);
    return builder.constant(
      floatConstant(
        Float32Array.from({ length }, () => random.normal() / 4),
        dims,
      ),
    );
  };
  const pads = { pads: ints([1, 1, 1, 1]) };
  const x = builder.input('image', ['batch', 1, 8, 8]);
  const first = builder.node('Relu', [builder.node('Conv', [x, weight(8, 1, 3, 3)], pads, 'first')]);
  const second = builder.node('Conv', [first, weight(16, 8, 3, 3)], pads, 'second');
  const pooled = builder.node('Flatten', [builder.node('GlobalAveragePool', [second])]);
  const shape = builder.constant(intConstant([0, CLASSES, 2, 2]));
  // Behind all layers, since what is fitted has to know which sample is which.
  if (op === 'Det') {
    const wide = builder.node('Gemm', [pooled, weight(16, 4 * CLASSES)]);
    builder.output(builder.node('Det', [builder.node('Reshape', [wide, shape])], {}, 'odd'), undefined);
  } else {
    builder.output(
      builder.node('Gemm', [builder.node(op, [pooled], {}, 'odd'), weight(16, CLASSES)]),
      undefined,
    );
  }
  return builder.model();
}

const UNCOUNTED = [{ name: 'odd', op: 'Det' }];

// Generous: tests wait for each other's processes.
describe('multiply-accumulates that nobody knows', { timeout: 180_000 }, () => {
  // biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes
  async function json(words: string): Promise<any> {
    const { status, stdout, stderr } = await cli.run([...words.split(' '), '--json', '--quiet'], folder);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return JSON.parse(stdout);
  }

  it('are named by inspect and evaluate', async () => {
    expect(await json('inspect model.onnx')).toMatchObject({
      macs: KNOWN + 16 * 4 * CLASSES,
      uncounted: UNCOUNTED,
      unsized: [],
    });
    expect(await json('evaluate model.onnx --data data.npz')).toMatchObject({
      macs: KNOWN + 16 * 4 * CLASSES,
      uncounted: UNCOUNTED,
    });
    expect((await cli.run(['inspect', 'model.onnx'], folder)).stdout).toMatch(
      /Costs are too low: not counted: Det 'odd'/,
    );
    const evaluated = await cli.run(['evaluate', 'model.onnx', '--data', 'data.npz'], folder);
    expect(evaluated.stdout).toMatch(/MACs a sample\nnot counted: Det 'odd'/);
  });

  it('are named by compare and its report', async () => {
    const found = await json('compare model.onnx --data data.npz --criteria l1 --ratios .5 --report r.html');
    expect(found.base).toMatchObject({ macs: KNOWN + 16 * 4 * CLASSES, uncounted: UNCOUNTED });
    expect(await readFile(join(folder, 'r.html'), 'utf8')).toMatch(/not counted: Det/);
  });

  it('are named by prune, whose budget does not rest on them unsaid', async () => {
    const words =
      'prune model.onnx --data data.npz --no-speed --macs .6 --criterion l1 --block 1 --no-reconstruct --out p.onnx';
    const { status, stdout, stderr } = await cli.run(words.split(' '), folder);
    expect(status).toBe(0);
    expect(stderr).toMatch(/--macs 0\.6: not counted: Det 'odd'/);
    expect(stdout).toMatch(/shares are of the other nodes alone/);
  });

  it('are named by pack, and by what reads the bundle', async () => {
    const words = '--data data.npz --criterion l1 --levels-count 2 --variants 2 --block 1 --no-measure';
    expect((await json(`pack model.onnx ${words} --out b`)).uncounted).toEqual(UNCOUNTED);
    expect((await json('inspect b')).uncounted).toEqual(UNCOUNTED);
    expect((await json('evaluate b --data data.npz --ratio .5')).uncounted).toEqual(UNCOUNTED);
    expect((await json('prune b --ratio .5 --out q.onnx')).uncounted).toEqual(UNCOUNTED);
    const fleet = join(ROOT, 'examples', 'fleets', 'ward.json');
    const planned = await cli.run(['plan', 'b', '--fleet', fleet, '--json'], folder);
    expect(JSON.parse(planned.stdout).uncounted).toEqual(UNCOUNTED);
    expect(planned.stderr).toMatch(/b: not counted: Det 'odd'/);
  });

  it('are none where only the shape was unknown, and such networks are packed', async () => {
    expect(await json('inspect softsign.onnx')).toMatchObject({
      macs: KNOWN + 16 * CLASSES,
      uncounted: [],
      unsized: [],
    });
    const words = '--data data.npz --criterion l1 --levels-count 2 --variants 2 --block 1 --no-measure';
    const packed = await json(`pack softsign.onnx ${words} --out c`);
    expect(packed.uncounted).toEqual([]);
    const { levels, uncounted, stages, layers } = await json('inspect c');
    expect([levels[0].macs, uncounted]).toEqual([KNOWN + 16 * CLASSES, []]);
    expect(stages.length).toBe(layers.length);
  });
});
