// What the unpruned network gives at the places where its layers are fit: read once, for any number of repairs.
import type { LinearLayer, Model } from '../onnx/index.ts';
import { must } from '../util/index.ts';
import type { RepairSamples } from './augment.ts';
import { Unfolding } from './rows.ts';
import type { Places } from './sample-positions.ts';
import { type RunOptions, visitValues } from './values.ts';

/** A layer of the unpruned network, where it is read, and the values it may be fit toward (shaped like its output). */
export interface Lesson {
  readonly layer: LinearLayer;
  readonly places: Places;
  readonly values: readonly string[];
}

/** The unpruned network's answers. */
export class Teacher {
  readonly #answers = new Map<string, Float32Array>();

  private constructor() {}

  /** Runs the unpruned network once over the samples. */
  static async ask(
    model: Model,
    lessons: readonly Lesson[],
    samples: RepairSamples,
    options: RunOptions,
  ): Promise<Teacher> {
    const teacher = new Teacher();
    const wanted = lessons.flatMap(({ layer, places, values }) => {
      const unfolding = new Unfolding(layer);
      return [...new Set(values)].map((value) => {
        const answers = new Float32Array(places.rows * layer.channels);
        teacher.#answers.set(keyOf(layer.name, value), answers);
        return { layer, places, value, unfolding, answers };
      });
    });
    const names = wanted.map(({ value }) => value);
    await visitValues(model, names, samples, options, (sample, read) => {
      for (const { layer, places, value, unfolding, answers } of wanted) {
        const data = read(value);
        const own = places.positions[sample] as Int32Array;
        own.forEach((position, k) => {
          const at = (sample * places.perSample + k) * layer.channels;
          for (let c = 0; c < layer.channels; c++) {
            answers[at + c] = unfolding.channelAt(data, c, position);
          }
        });
      }
    });
    return teacher;
  }

  /** `[rows, channels]` at a layer's places. */
  answers(layer: string, value: string): Float32Array {
    return must(this.#answers.get(keyOf(layer, value)), `'${value}' was not asked for at '${layer}'`);
  }
}

function keyOf(layer: string, value: string): string {
  return JSON.stringify([layer, value]);
}
