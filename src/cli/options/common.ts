// Options of every command, and of every command that computes.
import { availableParallelism } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import { count, whole } from './numbers.ts';

/** What every command takes. */
export interface CommonOptions {
  readonly seed: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** What `addRun` adds. */
export interface ComputeOptions {
  readonly threads: number;
  readonly batch: number;
}

/** --seed, --json and --quiet. @param draws whether the command draws anything by the seed */
export function addCommon(command: Command, draws = true): Command {
  const what = draws
    ? 'seed of all random choices; the same seed repeats a run exactly'
    : 'taken by every command; changes nothing here';
  return command
    .option('--seed <n>', what, seed, 1)
    .option('--json', 'print the result, or the error, as one JSON object on stdout')
    .option('--quiet', 'no progress and no remarks on stderr');
}

/** --threads and --batch. */
export function addRun(command: Command): Command {
  return command
    .option('--threads <n>', 'threads of ONNX Runtime', count(256), Math.min(2, availableParallelism()))
    .option('--batch <n>', 'samples computed together', count(65_536), 32);
}

function seed(text: string): number {
  const value = whole(text);
  if (value > 0xffffffff) throw new InvalidArgumentError('Expected a whole number from 0 to 4294967295.');
  return value;
}
