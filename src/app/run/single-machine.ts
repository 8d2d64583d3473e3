// The network of a bundle on this machine alone: what distributed answers are compared with.
import { assembleModel, type Bundle } from '../../bundle/index.ts';
import { findVariant, levelsKey, rangesAt } from '../../bundle/internal.ts';
import { createSession, type Session } from '../../engine/index.ts';
import { StageChain } from '../../pack/internal.ts';
import { roundsAnything } from '../../plan/internal.ts';
import type { FloatTensor, RunPlan } from '../../run/index.ts';
import { BedsideError, must } from '../../util/index.ts';
import { assertFiniteRows } from '../../util/internal.ts';

/** Runs a bundle in this process, at any levels. `close` releases its sessions. */
export class SingleMachine {
  readonly #bundle: Bundle;
  readonly #sessions = new Map<string, Session>();
  readonly #chains = new Map<string, StageChain>();

  constructor(bundle: Bundle) {
    this.#bundle = bundle;
  }

  /**
   * The scores of a batch, row after row.
   * @param levels one for each group
   * @param input `[batch, …]`
   * @param plan whose precisions count; float32 without
   * @throws BedsideError E_NOT_FINITE; E_UNSUPPORTED for scores that are not float32
   */
  async run(levels: readonly number[], input: FloatTensor, plan?: RunPlan): Promise<Float32Array> {
    if (plan && roundsAnything(plan.stages)) return await this.#inStages(levels, input, plan);
    const { manifest } = this.#bundle;
    const key = levelsKey(levels);
    let session = this.#sessions.get(key);
    if (!session) {
      const correction = findVariant(manifest, levels);
      session = await createSession(assembleModel(this.#bundle, levels, { correction }), {
        name: manifest.name,
      });
      this.#sessions.set(key, session);
    }
    const { input: from, output: to } = manifest.model;
    const output = must((await session.run({ [from.name]: input }))[to.name], 'an output');
    if (output.type === 'float32') {
      const rows = output.dims[0] ?? 1;
      assertFiniteRows(output.data, rows, output.data.length / rows, (row) => {
        return `bundle '${manifest.name}': the scores of sample ${row} of a run on one machine`;
      });
      return output.data;
    }
    throw new BedsideError('E_UNSUPPORTED', `bundle '${manifest.name}' gives ${output.type}, not float32`);
  }

  async close(): Promise<void> {
    for (const session of this.#sessions.values()) await session.release();
    for (const chain of this.#chains.values()) await chain.release();
  }

  /** Stage by stage, each in its precision, with what the plan rounds between them. */
  async #inStages(levels: readonly number[], input: FloatTensor, plan: RunPlan): Promise<Float32Array> {
    const { manifest } = this.#bundle;
    const key = levelsKey(levels);
    let chain = this.#chains.get(key);
    if (!chain) {
      const model = assembleModel(this.#bundle, levels, { correction: findVariant(manifest, levels) });
      const forms = must(manifest.eightBit, 'eight-bit forms');
      const ranges = rangesAt(this.#bundle, levels);
      const batch = input.dims[0] ?? 1;
      chain = new StageChain(
        { model, stages: manifest.stages, forms, ranges },
        { name: manifest.name, threads: 1, batch },
      );
      this.#chains.set(key, chain);
    }
    const [size = 1, ...sampleShape] = input.dims;
    return await chain.scores(
      { samples: input.data, size, sampleShape },
      {
        int8: (stage) => plan.stages[stage]?.precision === 'int8',
        rounded: (stage) => plan.stages[stage]?.wire === 'uint8',
      },
    );
  }
}
