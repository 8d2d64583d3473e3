// Short trainings with a part left out each, on the same labels, with the same gap measure.
import { type Checkpoint, requestSource, startTraining, type TrainerOptions } from '../../src/learn/index.ts';
import type { ResultTable } from '../lib/results.ts';

/** The title of their table. */
export const ABLATIONS = 'What each part brings, in short trainings';

const SEED = 11;
const LABELS = 500;
const EPOCHS = 6;
const STEPS = 60_000;
const HELD_BACK = 60;

interface Variant {
  readonly name: string;
  readonly change: (options: TrainerOptions) => TrainerOptions;
}

const VARIANTS: readonly Variant[] = [
  { name: 'all of it', change: (options) => options },
  { name: 'imitation alone', change: (o) => ({ ...o, budget: { ...o.budget, steps: 0 } }) },
  {
    name: 'no imitation: trials from the start',
    change: (o) => ({ ...o, budget: { ...o.budget, epochs: 0 }, finetune: { imitation: 0 } }),
  },
  { name: 'no masks in trials', change: (o) => ({ ...o, finetune: { masking: false } }) },
  { name: 'no attention', change: (o) => ({ ...o, network: { hidden: 32, blocks: 2, attention: false } }) },
  { name: 'no training', change: (o) => ({ ...o, budget: { ...o.budget, epochs: 0, steps: 0 } }) },
];

/** One row for each variant. */
export async function ablations(say: (text: string) => void): Promise<ResultTable> {
  const budget = { labels: LABELS, epochs: EPOCHS, steps: STEPS };
  const base: TrainerOptions = { source: requestSource([]), seed: SEED, budget, validation: HELD_BACK };
  const from = await labelsOnly(base);
  const rows: (string | number)[][] = [];
  for (const { name, change } of VARIANTS) {
    const trainer = await startTraining({ ...change(base), from });
    const began = performance.now();
    for (let progress = await trainer.next(); progress; progress = await trainer.next());
    const { mean, worst, missed } = await trainer.gap();
    const last = trainer.history.filter(({ complete }) => complete !== null).slice(-10);
    const average = (values: readonly number[]): string =>
      values.length === 0 ? '-' : (values.reduce((sum, value) => sum + value, 0) / values.length).toFixed(3);
    rows.push([
      ...[name, `${(100 * mean).toFixed(2)} %`, `${(100 * worst).toFixed(1)} %`, missed],
      average(last.map(({ complete }) => complete ?? 0)),
      average(last.map(({ reward }) => reward ?? 0)),
      trainer.steps > 0 ? Math.round(trainer.stepsPerSecond) : '-',
      Math.round((performance.now() - began) / 1000),
    ]);
    say(`ablation ${name}: mean gap ${(100 * mean).toFixed(2)} %`);
  }
  return {
    title: ABLATIONS,
    columns: [
      'variant',
      'mean gap',
      'worst',
      'no plan found',
      'trials with a plan',
      'mean reward',
      'steps/s',
      's',
    ],
    rows,
    note: `${LABELS} labels, ${EPOCHS} epochs of imitation, ${STEPS} steps of trials, ${HELD_BACK} held-back requests, seed ${SEED}: far less than the shipped policy had. Decoding (candidates, prices, beam, wider look, greedy repair) is the same for all, so the gap without any training is what decoding alone is worth. Trials with a plan and reward are of the last ten iterations, drawn, not decoded.`,
  };
}

/** A checkpoint with labels and nothing learned. */
async function labelsOnly(options: TrainerOptions): Promise<Checkpoint> {
  const trainer = await startTraining({ ...options, budget: { ...options.budget, epochs: 0, steps: 0 } });
  for (let progress = await trainer.next(); progress; progress = await trainer.next());
  return trainer.checkpoint('labels');
}
