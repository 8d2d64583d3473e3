// What ranks layers that a criterion says nothing of is said where their scores are shown, to people and to programs.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Model, writeModel } from 'bedside/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { floatConstant, GraphBuilder, int, ints } from '../src/onnx/internal.ts';
import { Random } from '../src/util/internal.ts';
import { CLASSES, type Cli, compileCli, smallData } from './support/cli.ts';

let cli: Cli;
let folder: string;
beforeAll(async () => {
  cli = await compileCli();
  folder = await mkdtemp(join(tmpdir(), 'bedside-remarks-'));
  await writeFile(join(folder, 'gated.onnx'), writeModel(gatedModel()));
  await writeFile(join(folder, 'data.npz'), smallData(40));
}, 180_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Squeeze and excitation behind one convolution. */
function gatedModel(): Model {
  const random = new Random(3);
  const builder = new GraphBuilder();
  const weights = (...dims: number[]): string => {
    const length = dims.reduce((product, dim) => product * dim, 1);
    const data = Float32Array.from({ length }, () => 0.4 * random.normal());
    return builder.constant(floatConstant(data, dims), 'weight');
  };
  const conv = (name: string, x: string, to: number, from: number, kernel: number): string =>
    builder.node(
      'Conv',
      [x, weights(to, from, kernel, kernel), weights(to)],
      { kernel_shape: ints([kernel, kernel]) },
      name,
    );
  const signal = builder.node('Relu', [conv('signal', builder.input('image', ['batch', 1, 8, 8]), 8, 1, 3)]);
  const squeezed = builder.node('Relu', [
    conv('squeeze', builder.node('GlobalAveragePool', [signal]), 6, 8, 1),
  ]);
  const gate = builder.node('Sigmoid', [conv('excite', squeezed, 8, 6, 1)]);
  const flat = builder.node('Flatten', [builder.node('Mul', [signal, gate])]);
  const scores = builder.node('Gemm', [flat, weights(CLASSES, 8 * 36)], { transB: int(1) }, 'scores');
  builder.output(scores, ['batch', CLASSES]);
  return builder.model();
}

const QUIET = '--per-class 8 --quiet';
const run = async (words: string) => {
  const { status, stdout } = await cli.run(words.split(' '), folder);
  expect(status).toBe(0);
  return stdout;
};
const named = (text: string) => expect.stringMatching(new RegExp(`^${text}`));

describe('layers inside a gate', { timeout: 180_000 }, () => {
  it('have scores of their own by explain, which says of what', async () => {
    const words = `explain gated.onnx --data data.npz --criterion lrp-gamma ${QUIET}`;
    const { layers, scoreRemarks, remarks } = JSON.parse(await run(`${words} --json`));
    const inside = [named('squeeze'), named('excite')];
    expect(remarks).toContainEqual(expect.stringContaining('ranked by taylor'));
    expect(scoreRemarks).toEqual([
      { kind: 'stand-in', layers: inside, by: 'taylor', text: expect.stringContaining('ranked by taylor') },
    ]);
    for (const { scores } of layers) expect(Math.max(...scores)).toBeGreaterThan(0);
    expect(await run(words)).toMatch(/squeeze\w*, excite\w*: lrp-gamma gives them nothing.*ranked by taylor/);
  });

  it('are named by prune where nothing else ranks their group', async () => {
    const words = `prune gated.onnx --data data.npz --no-speed --criterion lrp-gamma --ratio .5 --block 1 --out cut.onnx ${QUIET}`;
    const { scoreRemarks } = JSON.parse(await run(`${words} --json`));
    expect(scoreRemarks).toEqual([expect.objectContaining({ kind: 'stand-in', layers: [named('squeeze')] })]);
    expect(await run(words)).toMatch(/squeeze\w*: lrp-gamma gives them nothing/);
  });

  it('are named by compare, criterion by criterion', async () => {
    const words =
      'compare gated.onnx --data data.npz --criteria lrp-gamma,l2 --ratios .5 --per-class 8 --quiet';
    const { scoreRemarks } = JSON.parse(await run(`${words} --json`));
    expect(scoreRemarks).toEqual([
      expect.objectContaining({ kind: 'stand-in', text: expect.stringContaining('lrp-gamma gives') }),
    ]);
  });
});
