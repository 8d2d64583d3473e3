import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkPlan } from '../../plan/index.ts';
import { exportPolicy } from '../policy/export.ts';
import { PolicyPlanner } from '../policy/planner.ts';
import { type Checkpoint, readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { drawInstance, drawOptions } from './draws.ts';
import { learningRate, phaseOf, shareOf, type TrainingBudget } from './schedule.ts';
import { startTraining } from './start.ts';
import type { Trainer, TrainProgress } from './trainer.ts';

// One class of sizes, so that there is little to compile.
const source = {
  name: 'small programs',
  at: (seed: number) =>
    drawInstance(seed, { stages: [4, 6], devices: [2, 3], levels: [2, 3], tightness: [0.3, 0.5] }),
};
const budget: TrainingBudget = { labels: 40, epochs: 12, steps: 1000 };
const options = {
  ...{ source, seed: 3, budget, validation: 6 },
  network: { hidden: 8, blocks: 1, attention: true },
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-train-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs to the end, or for some units. */
async function run(trainer: Trainer, units = Number.POSITIVE_INFINITY): Promise<TrainProgress[]> {
  const seen: TrainProgress[] = [];
  while (seen.length < units) {
    const progress = await trainer.next();
    if (!progress) break;
    seen.push(progress);
  }
  return seen;
}

const plain = async (trainer: Trainer): Promise<[string, number[]][]> =>
  [...(await trainer.weights())].map(([name, { data }]) => [name, [...data]]);

describe('a training run', () => {
  let whole: Trainer;
  let units: TrainProgress[];
  beforeAll(async () => {
    whole = await startTraining(options);
    units = await run(whole);
  });

  it('repeats exactly, and goes on from a checkpoint as if it had not been killed', async () => {
    const expected = await plain(whole);
    expect(new Set(units.map(({ phase }) => phase))).toEqual(new Set(['labels', 'imitation', 'improvement']));
    // Killed in the middle of imitation, and once more in the middle of improvement.
    let from: Checkpoint | undefined;
    for (const after of [4, 10]) {
      const part = await startTraining({ ...options, from });
      await run(part, after);
      const path = join(folder, 'checkpoint');
      await writeCheckpoint(path, await part.checkpoint('same'));
      from = await readCheckpoint(path, 'same');
    }
    const rest = await startTraining({ ...options, from });
    const left = await run(rest);
    expect(left.length).toBe(units.length - 14);
    expect(await plain(rest)).toEqual(expected);
    expect(rest.steps).toBe(whole.steps);
    expect(rest.history.map(({ loss, gap, reward }) => [loss, gap, reward])).toEqual(
      whole.history.map(({ loss, gap, reward }) => [loss, gap, reward]),
    );
  });

  it('learns: its loss falls, and its policy plans', async () => {
    const trainer = whole;
    const losses = trainer.history.filter(({ phase }) => phase === 'imitation').map(({ loss }) => loss);
    expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) * 0.99);
    expect(trainer.demonstrations).toBeGreaterThanOrEqual(budget.labels);
    expect(trainer.steps).toBeGreaterThanOrEqual(budget.steps);
    const planner = await PolicyPlanner.open(
      exportPolicy(trainer.network, await trainer.weights()),
      'trained',
    );
    const instance = source.at(123_456);
    const { decisions = [] } = await planner.plan(instance);
    expect(checkPlan(instance, decisions).violations).toEqual([]);
    await planner.close();
  });

  it('without masks ends trials early, and learns from that too', async () => {
    const trainer = await startTraining({
      ...options,
      budget: { labels: 20, epochs: 1, steps: 500 },
      finetune: { masking: false },
    });
    await run(trainer);
    const [last] = trainer.history.slice(-1);
    expect(last?.complete).toBeLessThan(1);
    expect(last?.loss).toEqual(expect.any(Number));
  });
});

describe('a checkpoint', () => {
  it('of other options, or none, is refused', async () => {
    const path = join(folder, 'other');
    await expect(readCheckpoint(path, 'x')).rejects.toMatchObject({ code: 'E_FILE' });
    await writeFile(path, '{"format":"something"}');
    await expect(readCheckpoint(path, 'x')).rejects.toMatchObject({ code: 'E_FILE' });
    const trainer = await startTraining(options);
    await writeCheckpoint(path, await trainer.checkpoint('these'));
    await expect(readCheckpoint(path, 'those')).rejects.toMatchObject({ code: 'E_USAGE' });
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ format: 'bedside-training', unit: 0 });
  });
});

describe('the schedule', () => {
  const budget: TrainingBudget = { labels: 40, epochs: 12, steps: 2000 };
  const nothing = { demonstrations: 0, epochs: 0, iterations: 0, steps: 0, seconds: 0 };

  it('goes by counts, or by the clock', () => {
    expect(phaseOf(budget, nothing)).toBe('labels');
    expect(phaseOf(budget, { ...nothing, demonstrations: 40 })).toBe('imitation');
    expect(phaseOf(budget, { ...nothing, demonstrations: 40, epochs: 12 })).toBe('improvement');
    expect(phaseOf(budget, { ...nothing, demonstrations: 40, epochs: 12, steps: 2000 })).toBeUndefined();
    const timed = { ...budget, minutes: 10 };
    expect(phaseOf(timed, { ...nothing, seconds: 100 })).toBe('labels');
    expect(phaseOf(timed, { ...nothing, seconds: 300 })).toBe('imitation');
    expect(phaseOf(timed, { ...nothing, seconds: 500, epochs: 3 })).toBe('improvement');
    expect(phaseOf(timed, { ...nothing, seconds: 601, epochs: 3, iterations: 9 })).toBeUndefined();
    expect(shareOf(timed, { ...nothing, seconds: 300 })).toBeCloseTo(0.5, 9);
  });

  it('warms up, then lets the rate fall', () => {
    const rate = (epochs: number, updates: number) =>
      learningRate('imitation', budget, { ...nothing, epochs }, updates);
    expect(rate(0, 1)).toBeLessThan(rate(0, 50) / 10);
    expect(rate(1, 100)).toBeGreaterThan(rate(2, 200));
    expect(rate(12, 400)).toBeGreaterThan(0);
  });
});

it('requests are drawn by number, always the same', () => {
  expect(drawOptions(17)).toEqual(drawOptions(17));
  expect(drawInstance(17)).toEqual(drawInstance(17));
  expect(drawInstance(18)).not.toEqual(drawInstance(17));
});
