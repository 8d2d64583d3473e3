// The network of a bundle on this machine alone: what distributed answers are compared with.
import { assembleModel, type Bundle } from '../../bundle/index.ts';
import { findVariant, levelsKey } from '../../bundle/internal.ts';
import { createSession, type Session } from '../../engine/index.ts';
import { roundsAnything } from '../../plan/internal.ts';
import type { FloatTensor, RunPlan } from '../../run/index.ts';
import { BedsideError, must } from '../../util/index.ts';
import { assertFiniteRows } from '../../util/internal.ts';
import { PiecesHere } from './pieces-here.ts';

/** Runs a bundle in this process, at any levels. `close` releases its sessions. */
export class SingleMachine {
  readonly #bundle: Bundle;
  readonly #sessions = new Map<string, Session>();
  readonly #pieces: PiecesHere;

  constructor(bundle: Bundle) {
    this.#bundle = bundle;
    this.#pieces = new PiecesHere(bundle);
  }

  /**
   * The scores of a batch, row after row.
   * @param levels one for each group
   * @param input `[batch, …]`
   * @param plan if it rounds anything, its pieces run one after the other, since a number between two integers may be
   *   rounded to either; otherwise, and without one, the whole network runs in float32
   * @throws BedsideError E_NOT_FINITE; E_UNSUPPORTED for scores that are not float32
   */
  async run(levels: readonly number[], input: FloatTensor, plan?: RunPlan): Promise<Float32Array> {
    if (plan && roundsAnything(plan.stages)) return (await this.#pieces.run(plan, input)).data;
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
    throw new BedsideError('E_UNSUPPORTED', `bundle '${manifest.name}' gives ${output.type}, not float32`, {
      hint: 'pack the network again from a model whose scores are floating-point numbers',
    });
  }

  async close(): Promise<void> {
    for (const session of this.#sessions.values()) await session.release();
    await this.#pieces.close();
  }
}
