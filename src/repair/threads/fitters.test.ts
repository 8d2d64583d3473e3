// What threads fit is what is fitted here, however many problems wait.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../util/internal.ts';
import { type Matrix, Products } from '../products.ts';
import type { LayerProblem } from '../refit.ts';
import { RowMemory } from '../row-memory.ts';
import { Fitters } from './fitters.ts';

let products: Products;
beforeAll(async () => {
  products = await Products.create(1);
});
afterAll(() => products.release());

/** A layer of so many groups whose weights have gone wrong; its inputs lie in shared memory. */
function problemOf(seed: number, unknowns: number, groups = 1): LayerProblem {
  const random = new Random(seed);
  const [rows, outputs] = [Math.max(60, Math.ceil(1.25 * unknowns)), 3];
  const memory = new RowMemory(true).take(groups * rows * unknowns);
  const matrix = (height: number, width: number, data = new Float64Array(height * width)): Matrix => ({
    ...{ rows: height, columns: width },
    data: data.map(() => random.normal()),
  });
  const all = Array.from({ length: groups }, (_, g) => {
    const x = memory.subarray(g * rows * unknowns, (g + 1) * rows * unknowns);
    x.set(matrix(rows, unknowns).data);
    return {
      x: { rows, columns: unknowns, data: x },
      y: matrix(rows, outputs),
      weights: matrix(unknowns, outputs),
    };
  });
  return {
    name: `layer ${seed}`,
    x: all.map(({ x }) => x),
    y: all.map(({ y }) => y),
    weights: all.map(({ weights }) => weights),
    fitRows: Math.max(45, unknowns),
  };
}

/** The same problem in memory that the engine reads. */
function ownOf(problem: LayerProblem): LayerProblem {
  return { ...problem, x: problem.x.map((x) => ({ ...x, data: Float64Array.from(x.data) })) };
}

describe('fitters', () => {
  it('give what is fitted here, for more problems than threads and problems of several groups', async () => {
    const problems = [
      problemOf(1, 20),
      problemOf(2, 9, 3),
      problemOf(3, 30),
      problemOf(4, 12),
      problemOf(5, 5),
    ];
    const fitters = new Fitters(products, 2, 0);
    const found = await Promise.all(problems.map((problem) => fitters.fit(problem, 0.1)));
    await fitters.release();
    const here = new Fitters(products, 1, 0);
    for (const [at, problem] of problems.entries()) {
      expect(found[at]).toEqual(await here.fit(ownOf(problem), 0.1));
      expect(found[at]?.refit).toBe(true);
    }
    await here.release();
  });

  it('give the same for problems that are fitted here, though nobody waits for the one before', async () => {
    // Wide enough that Gram matrices are made in blocks, in memory that the fits share.
    const problems = [problemOf(11, 400), problemOf(12, 392), problemOf(13, 388)].map(ownOf);
    const fitters = new Fitters(products, 1);
    const together = await Promise.all(problems.map((problem) => fitters.fit(problem, 1e-3)));
    for (const [at, problem] of problems.entries()) {
      expect(together[at]).toEqual(await fitters.fit(problem, 1e-3));
    }
    await fitters.release();
  });

  it('tell an error by its code, and fit the next problem', async () => {
    const fitters = new Fitters(products, 2, 0);
    const broken = problemOf(6, 8);
    broken.x[0]?.data.fill(Number.NaN, 3, 4);
    await expect(fitters.fit(broken, undefined)).rejects.toMatchObject({ code: 'E_NOT_FINITE' });
    await expect(fitters.fit(problemOf(7, 8), undefined)).resolves.toMatchObject({ refit: true });
    await fitters.release();
  });

  it('begin nothing any more once they are released', async () => {
    for (const [threads, leastWork] of [
      [2, 0],
      [1, undefined],
    ] as const) {
      const fitters = new Fitters(products, threads, leastWork);
      const [problem, later] = [9, 10]
        .map((seed) => problemOf(seed, 8))
        .map(threads > 1 ? (one) => one : ownOf);
      const first = fitters.fit(problem as LayerProblem, undefined);
      const next = first.then(() => fitters.fit(later as LayerProblem, undefined)).catch(() => 'told');
      await new Promise((resolve) => setImmediate(resolve));
      await fitters.release();
      await expect(first).resolves.toMatchObject({ refit: true });
      const soon = new Promise((resolve) => setTimeout(resolve, 300, 'nothing'));
      expect(await Promise.race([next, soon])).toBe('nothing');
    }
  });

  it('send large problems alone, and none with one thread', () => {
    const { weights } = problemOf(8, 100);
    expect(new Fitters(products, 2).sends(weights, 60)).toBe(false);
    expect(new Fitters(products, 2).sends(weights, 400_000)).toBe(true);
    expect(new Fitters(products, 1).sends(weights, 400_000)).toBe(false);
  });
});
