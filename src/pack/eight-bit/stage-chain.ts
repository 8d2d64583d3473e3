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

/** One stage in another way than float32, and nothing else. */
export interface LoneMode {
  readonly stage: number;
  /** Whether it computes in eight bits, not only reads a rounded input. */
  readonly int8: boolean;
}

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

  /** The scores for each of these modes, in which the input of the stage is rounded; what comes before it runs once for all. */
  async scoresAlone(
    { samples, size, sampleShape }: Pick<Dataset, 'samples' | 'size' | 'sampleShape'>,
    modes: readonly LoneMode[],
  ): Promise<Float32Array[]> {
    const { batch } = this.#options;
    const found = modes.map((): Float32Array[] => []);
    for (let first = 0; first < size; first += batch) {
      const count = Math.min(batch, size - first);
      let value = tensor(rowRange(samples, size, first, count), [count, ...sampleShape]);
      for (const { index } of this.#parts.stages) {
        for (const [at, { stage, int8 }] of modes.entries()) {
          if (stage !== index) continue;
          const alone = { int8: (l: number) => int8 && l === stage, rounded: (l: number) => l === stage };
          found[at]?.push((await this.#run(value, alone, stage)).data);
        }
        if (modes.some(({ stage }) => stage > index)) value = await this.#run(value, NOTHING, index, index);
      }
    }
    return found.map(joinedRows);
  }

  /** Frees the engine's memory. */
  async release(): Promise<void> {
    for (const session of this.#sessions.values()) await session.release();
    this.#sessions.clear();
  }

  /** What the stages from one to another make of the input of the first. */
  async #run(
    input: FloatTensor,
    mode: ChainMode,
    from = 0,
    to = this.#parts.stages.length - 1,
  ): Promise<FloatTensor> {
    const { stages, forms } = this.#parts;
    let value = input;
    for (const stage of stages.slice(from, to + 1)) {
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
