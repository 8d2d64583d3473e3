// How far the scores of a network with integers are from those of the float network, and which layers are to blame.
import { createSession, tensor } from '../engine/index.ts';
import type { Model } from '../onnx/index.ts';
import { sizeOf, soleInput } from '../onnx/internal.ts';
import type { RepairSamples } from '../repair/internal.ts';
import { must } from '../util/index.ts';
import { joinedRows, rowRange } from '../util/internal.ts';

/** The least variance of scores that counts, as a share of their squares. */
const LEAST_VARIANCE = 1e-4;

/** Scores of a network on held-out samples, and how they are measured. */
export class HeldOutScores {
  readonly #samples: RepairSamples;
  readonly #run: { readonly name: string; readonly batch: number; readonly threads: number };
  #float: Float32Array = new Float32Array();
  #variance = 1;

  private constructor(samples: RepairSamples, run: HeldOutScores['settings']) {
    this.#samples = samples;
    this.#run = run;
  }

  /** How networks are run. */
  get settings(): { readonly name: string; readonly batch: number; readonly threads: number } {
    return this.#run;
  }

  /** Runs the float network on the samples that do not fit. */
  static async open(
    model: Model,
    samples: RepairSamples,
    run: HeldOutScores['settings'],
  ): Promise<HeldOutScores> {
    const scores = new HeldOutScores(samples, run);
    scores.#float = await scores.#scoresOf(model);
    const rows = samples.size - samples.fitSize;
    const columns = scores.#float.length / rows;
    let [total, squares] = [0, 0];
    for (let c = 0; c < columns; c++) {
      let [sum, square] = [0, 0];
      for (let r = 0; r < rows; r++) {
        const value = scores.#float[r * columns + c] as number;
        sum += value;
        square += value * value;
      }
      total += Math.max(0, square - (sum * sum) / rows);
      squares += square;
    }
    // Scores that are all but the same for every sample are compared with their own size.
    scores.#variance = Math.max(total, LEAST_VARIANCE * squares);
    return scores;
  }

  /** Squared difference of the scores, as a share of their variance over the samples. */
  async distance(model: Model): Promise<number> {
    const own = await this.#scoresOf(model);
    let sum = 0;
    for (let i = 0; i < own.length; i++) sum += ((own[i] as number) - (this.#float[i] as number)) ** 2;
    return sum === 0 ? 0 : sum / (this.#variance || sum);
  }

  async #scoresOf(model: Model): Promise<Float32Array> {
    const { samples, size, sampleShape, fitSize } = this.#samples;
    const input = soleInput(model);
    const output = must(model.graph.outputs[0], 'an output').name;
    const fixed = model.graph.inputs[0]?.dims?.[0];
    const batch = typeof fixed === 'number' ? fixed : this.#run.batch;
    const session = await createSession(model, { ...this.#run, spinning: false });
    const parts: Float32Array[] = [];
    try {
      for (let first = fitSize; first < size; first += batch) {
        const count = Math.min(batch, size - first);
        const rows = typeof fixed === 'number' ? batch : count;
        const data = new Float32Array(rows * sizeOf(sampleShape));
        data.set(rowRange(samples, size, first, count));
        const found = (await session.run({ [input]: tensor(data, [rows, ...sampleShape]) }, [output]))[
          output
        ];
        const scores = must(found?.type === 'float32' ? found.data : undefined, `'${output}' is not float32`);
        parts.push(scores.subarray(0, (scores.length / rows) * count));
      }
    } finally {
      await session.release();
    }
    return joinedRows(parts);
  }
}

/** What is known of a network with some layers in float32. */
export interface Trial {
  readonly keepFloat: ReadonlyMap<string, string>;
  readonly distance: number;
}

/** Most layers that are tried; of deeper networks those with the largest errors of their own. */
const MOST_TRIED = 64;

/**
 * Puts layers back to float32 until the scores are within the budget: those first whose float form brings them nearest.
 * @param layers in descending order of their own error
 * @param distanceWith the distance with these layers in float32
 */
export async function withinBudget(
  layers: readonly string[],
  start: Trial,
  budget: number,
  distanceWith: (keepFloat: ReadonlyMap<string, string>) => Promise<number>,
): Promise<Trial> {
  if (start.distance <= budget) return start;
  const reason = (gain: number): string =>
    `eight bits lose too much there: in float32 the held-out error of the scores falls by ${gain.toPrecision(2)} of their variance`;
  const gains: { readonly layer: string; readonly gain: number }[] = [];
  for (const layer of layers.slice(0, MOST_TRIED)) {
    const distance = await distanceWith(new Map([...start.keepFloat, [layer, '']]));
    gains.push({ layer, gain: start.distance - distance });
  }
  let best = start;
  const kept = new Map(start.keepFloat);
  for (const { layer, gain } of gains.toSorted((a, b) => b.gain - a.gain)) {
    if (gain <= 0 || best.distance <= budget) break;
    kept.set(layer, reason(gain));
    const distance = await distanceWith(kept);
    if (distance < best.distance) best = { keepFloat: new Map(kept), distance };
    else kept.delete(layer);
  }
  return best;
}
