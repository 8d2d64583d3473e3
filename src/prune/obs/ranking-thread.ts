// The ranking thread's side: one group after the other.
import { Products } from '../../repair/internal.ts';
import { answerQuestions } from '../../util/internal.ts';
import { type Elimination, eliminate } from './eliminate.ts';
import { Reader, type ReaderProblem } from './surgeon.ts';

/** A group of so many units, and the layers that read it. */
export interface RankingTask {
  readonly units: number;
  readonly problems: readonly ReaderProblem[];
}

const products = Products.create(1);

answerQuestions(async ({ units, problems }: RankingTask): Promise<Elimination> => {
  const own = await products;
  return eliminate(
    units,
    problems.map((problem) => new Reader(problem, own)),
  );
});
