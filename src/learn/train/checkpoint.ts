// A training run on disk: everything that the next unit of work depends on, so that a killed run continues as if
// nothing had happened.
import { BedsideError, writeFileAtomic } from '../../util/index.ts';
import { readTextChecked } from '../../util/internal.ts';
import type { PolicyWeight, PolicyWeights } from '../policy/network.ts';
import type { StoredDemonstration } from './demonstrations.ts';

/** A line of the curves. */
export interface HistoryRow {
  readonly phase: 'imitation' | 'improvement';
  /** Seconds of training so far. */
  readonly seconds: number;
  /** Steps of the environment so far. */
  readonly steps: number;
  readonly loss: number;
  /** Mean reward of a rollout; null in imitation. */
  readonly reward: number | null;
  /** Share of rollouts that ended with a plan. */
  readonly complete: number | null;
  /** Mean gap on the validation requests; null where it was not measured. */
  readonly gap: number | null;
}

/** The state of a run. The keys are those of the file. */
export interface Checkpoint {
  readonly format: 'bedside-training';
  readonly version: 1;
  /** Hash of the configuration; a run with another one cannot continue from here. */
  readonly fingerprint: string;
  readonly unit: number;
  /** Seeds tried, and the demonstrations of training and of validation. */
  readonly seeds: number;
  readonly labels: readonly StoredDemonstration[];
  readonly heldBack: readonly StoredDemonstration[];
  /** Steps of the optimiser, and of the environment. */
  readonly updates: number;
  readonly steps: number;
  readonly seconds: number;
  readonly scale: { readonly mean: number; readonly square: number; readonly count: number };
  readonly weights: PolicyWeights;
  readonly mean: PolicyWeights;
  readonly square: PolicyWeights;
  readonly history: readonly HistoryRow[];
}

/** Writes atomically: a reader finds the old one or the new one. */
export async function writeCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  const packed = {
    ...checkpoint,
    weights: packedWeights(checkpoint.weights),
    mean: packedWeights(checkpoint.mean),
    square: packedWeights(checkpoint.square),
  };
  await writeFileAtomic(path, JSON.stringify(packed));
}

/**
 * Reads a checkpoint.
 * @throws BedsideError E_FILE when there is none, or it is not one; E_USAGE when it is of another configuration
 */
export async function readCheckpoint(path: string, fingerprint: string): Promise<Checkpoint> {
  let text: string;
  try {
    text = await readTextChecked(path, 'checkpoint');
  } catch (cause) {
    throw new BedsideError('E_FILE', `no checkpoint to go on from: ${path}`, {
      hint: 'leave --resume out to begin anew',
      cause,
    });
  }
  const parsed = parse(text, path);
  if (parsed.fingerprint !== fingerprint) {
    throw new BedsideError('E_USAGE', `the checkpoint ${path} is of a run with other options`, {
      hint: 'give the same seed, bundles and budget as then, or leave --resume out to begin anew',
    });
  }
  return parsed;
}

type PackedWeights = readonly (readonly [string, readonly number[], string])[];

function parse(text: string, path: string): Checkpoint {
  try {
    const raw = JSON.parse(text) as Checkpoint & Record<'weights' | 'mean' | 'square', PackedWeights>;
    if (raw.format !== 'bedside-training' || raw.version !== 1) throw new Error('another format');
    return {
      ...raw,
      weights: unpacked(raw.weights),
      mean: unpacked(raw.mean),
      square: unpacked(raw.square),
    };
  } catch (cause) {
    throw new BedsideError('E_FILE', `not a checkpoint of training: ${path}`, {
      hint: 'leave --resume out to begin anew',
      cause,
    });
  }
}

function packedWeights(weights: PolicyWeights): PackedWeights {
  return [...weights].map(([name, { dims, data }]) => [
    name,
    dims,
    Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'),
  ]);
}

function unpacked(packed: PackedWeights): Map<string, PolicyWeight> {
  return new Map(
    packed.map(([name, dims, text]) => {
      const bytes = Buffer.from(text, 'base64');
      const data = new Float32Array(bytes.length / 4);
      new Uint8Array(data.buffer).set(bytes);
      return [name, { dims, data }];
    }),
  );
}
