// The fitting thread's side: one problem after the other.
import { answerQuestions } from '../../util/internal.ts';
import { Products } from '../products.ts';
import { fitLayer, type LayerFit } from '../refit.ts';
import { RowMemory } from '../row-memory.ts';
import type { FittingTask } from './fitters.ts';

const products = Products.create(1);
const memory = new RowMemory();

answerQuestions(async ({ problem, start }: FittingTask): Promise<LayerFit> => {
  const length = problem.x.reduce((sum, { data }) => sum + data.length, 0);
  const all = memory.take(length);
  let at = 0;
  // The engine reads no shared memory.
  const x = problem.x.map((matrix) => {
    const data = all.subarray(at, at + matrix.data.length);
    data.set(matrix.data);
    at += matrix.data.length;
    return { ...matrix, data };
  });
  return fitLayer({ ...problem, x }, await products, start);
});
