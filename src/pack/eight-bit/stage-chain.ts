// Runs a network stage by stage, as devices do: each stage in float32 or in its eight-bit form, and what comes into a
// stage rounded where it travels as eight bits.
import type { BundleStage, EightBitForm } from '../../bundle/internal.ts';
import type { Dataset } from '../../data/index.ts';
import { createSession, type FloatTensor, type Session, tensor } from '../../engine/index.ts';
import type { Model } from '../../onnx/index.ts';
import { extractSubgraph } from '../../onnx/internal.ts';
import { eightBitForm, saturates } from '../../quantize/internal.ts';
import { must } from '../../util/index.ts';
import {
  atOnce,
  fromUint8,
  joinedRows,
  rowRange,
  scaleOfRange,
  toUint8,
  type ValueRange,
} from '../../util/internal.ts';

/** How each stage runs. */
export interface ChainMode {
  /** Stages in their eight-bit form, where they have one. */
  readonly int8: (stage: number) => boolean;
  /** Stages whose input is rounded. */
  readonly rounded: (stage: number) => boolean;
}

/** Everything in float32. */
export const NOTHING: ChainMode = { int8: () => false, rounded: () => false };

/** A network at one level vector. */
export interface ChainParts {
  /** With its corrections. */
  readonly model: Model;
  readonly stages: readonly BundleStage[];
  readonly forms: readonly Pick<EightBitForm, 'layers'>[];
  readonly ranges: ReadonlyMap<string, ValueRange>;
}

/** The stages of a network as sessions, each opened when it is needed. */
export class StageChain {
  readonly #parts: ChainParts;
  readonly #options: { readonly name: string; readonly threads: number; readonly batch: number };
  readonly #sessions = new Map<string, Session>();

  constructor(parts: ChainParts, options: { name: string; threads: number; batch: number }) {
    this.#parts = parts;
    this.#options = options;
  }

  /** The scores of all samples, `[samples, ...]`. */
  async scores(
    { samples, size, sampleShape }: Pick<Dataset, 'samples' | 'size' | 'sampleShape'>,
    mode: ChainMode,
  ): Promise<Float32Array> {
    const { batch } = this.#options;
    const found: Float32Array[] = [];
    for (let first = 0; first < size; first += batch) {
      const count = Math.min(batch, size - first);
      const input = tensor(rowRange(samples, size, first, count), [count, ...sampleShape]);
      found.push((await this.#run(input, mode)).data);
    }
    return joinedRows(found);
  }

  /** Frees the engine's memory. */
  async release(): Promise<void> {
    for (const session of this.#sessions.values()) await session.release();
    this.#sessions.clear();
  }

  /** What the stages make of an input. */
  async #run(input: FloatTensor, mode: ChainMode): Promise<FloatTensor> {
    const { stages, forms } = this.#parts;
    let value = input;
    for (const stage of stages) {
      if (stage.index > 0 && mode.rounded(stage.index)) value = this.#rounded(value, stage.input);
      const int8 = mode.int8(stage.index) && must(forms[stage.index], 'a form').layers.length > 0;
      const session = await this.#session(stage, int8);
      const result = must(
        (await session.run({ [stage.input]: value }, [stage.output]))[stage.output],
        'an output',
      );
      value = result as FloatTensor;
    }
    return value;
  }

  async #session(stage: BundleStage, int8: boolean): Promise<Session> {
    const key = `${stage.index} ${int8}`;
    const known = this.#sessions.get(key);
    if (known) return known;
    const part = stageGraph(this.#parts, stage, int8, await saturates());
    const { name, threads } = this.#options;
    const session = await createSession(part, {
      name: `stage ${stage.index} of ${name}`,
      threads,
      spinning: false,
    });
    this.#sessions.set(key, session);
    return session;
  }

  #rounded({ data, dims }: FloatTensor, name: string): FloatTensor {
    const scale = scaleOfRange(must(this.#parts.ranges.get(name), `range of '${name}'`));
    return tensor(fromUint8(toUint8(data, scale), scale), dims);
  }
}

/** One stage as a graph of its own. */
export function stageGraph(
  { model, forms, ranges }: ChainParts,
  { index, input, output }: BundleStage,
  int8: boolean,
  reduced: boolean,
): Model {
  const part = extractSubgraph(model, [input], [output]);
  if (!int8) return part;
  return atOnce(eightBitForm(part, new Set(must(forms[index], 'a form').layers), ranges, reduced));
}
