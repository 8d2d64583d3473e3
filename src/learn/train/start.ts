// The entry to training: jax-js is loaded only if a run begins.
import { loadOptional } from '../../util/internal.ts';
import type { Trainer, TrainerOptions } from './trainer.ts';

/** Makes a training run ready; see `Trainer`. */
export async function startTraining(options: TrainerOptions): Promise<Trainer> {
  const { Trainer: Run } = await loadOptional('training', () => import('./trainer.ts'));
  return Run.start(options);
}
