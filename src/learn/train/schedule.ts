// The schedule of a training run: its phases, learning rates and entropy weights.

/** How long to train. A run with counts repeats exactly; a run with minutes ends in time. */
export interface TrainingBudget {
  /** Demonstrations, epochs of imitation, steps of the environment. `labels` is the key in cards and checkpoints. */
  readonly labels: number;
  readonly epochs: number;
  readonly steps: number;
  /** Replaces all of them. */
  readonly minutes?: number | undefined;
}

export type Phase = 'labels' | 'imitation' | 'improvement';

/** How far a run has come. */
export interface Done {
  readonly demonstrations: number;
  readonly epochs: number;
  readonly iterations: number;
  readonly steps: number;
  readonly seconds: number;
}

/** Shares of a run at which demonstrations and imitation end. */
const LABELS_END = 0.3;
const IMITATION_END = 0.7;
const RATES = { imitation: 3e-3, improvement: 3e-4, warmUp: 50, least: 0.03 } as const;
const ENTROPY = { first: 0.01, last: 0.001 } as const;

/** The next phase; undefined at the end. */
export function phaseOf(budget: TrainingBudget, done: Done): Phase | undefined {
  if (budget.minutes !== undefined) {
    const share = done.seconds / (60 * budget.minutes);
    if (share < LABELS_END && done.epochs === 0) return 'labels';
    if (share < IMITATION_END && done.iterations === 0) return 'imitation';
    return share < 1 ? 'improvement' : undefined;
  }
  if (done.demonstrations < budget.labels) return 'labels';
  if (done.epochs < budget.epochs) return 'imitation';
  return done.steps < budget.steps ? 'improvement' : undefined;
}

/** How much of a run is done, 0 to 1. */
export function shareOf(budget: TrainingBudget, done: Done): number {
  if (budget.minutes !== undefined) return Math.min(1, done.seconds / (60 * budget.minutes));
  const part = (now: number, all: number): number => (all > 0 ? Math.min(1, now / all) : 1);
  return (
    LABELS_END * part(done.demonstrations, budget.labels) +
    (IMITATION_END - LABELS_END) * part(done.epochs, budget.epochs) +
    (1 - IMITATION_END) * part(done.steps, budget.steps)
  );
}

/** How much of a phase is done, 0 to 1. */
function phaseShare(phase: 'imitation' | 'improvement', budget: TrainingBudget, done: Done): number {
  if (budget.minutes === undefined)
    return phase === 'imitation' ? done.epochs / budget.epochs : Math.min(1, done.steps / budget.steps);
  const share = done.seconds / (60 * budget.minutes);
  const [low, high] = phase === 'imitation' ? [LABELS_END, IMITATION_END] : [IMITATION_END, 1];
  return Math.min(1, Math.max(0, (share - low) / (high - low)));
}

/**
 * The learning rate: a cosine within each phase, after a warm-up.
 * @param updates steps of the optimiser so far, this one counted
 */
export function learningRate(
  phase: 'imitation' | 'improvement',
  budget: TrainingBudget,
  done: Done,
  updates: number,
): number {
  const share = phaseShare(phase, budget, done);
  const cosine = RATES.least + (1 - RATES.least) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, share)));
  return RATES[phase] * cosine * Math.min(1, updates / RATES.warmUp);
}

/** Weight of the entropy bonus. It falls, so that the policy becomes decided. */
export function entropyWeight(budget: TrainingBudget, done: Done): number {
  const { first, last } = ENTROPY;
  return first + (last - first) * phaseShare('improvement', budget, done);
}
