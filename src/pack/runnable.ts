// Turns a network into the one that a bundle holds, which workers run sample by sample: one output and an open batch.
import { openedBatch } from '../evaluate/internal.ts';
import type { Model } from '../onnx/index.ts';
import { cloneModel, fixedBatchOf, formOf, removeDead, withForm } from '../onnx/internal.ts';
import { BedsideError, must } from '../util/index.ts';

/** A network as a bundle holds it, and what it leaves out of the file. */
export interface Runnable {
  readonly model: Model;
  /** Outputs after the first, and the nodes that only they need. */
  readonly dropped: { readonly outputs: readonly string[]; readonly nodes: readonly string[] };
  /** The batch size that the file fixes and the bundle opens. */
  readonly freedBatch: number | undefined;
}

/** Samples of a dataset. */
interface Samples {
  readonly samples: Float32Array;
  readonly size: number;
}

/**
 * Keeps the first output of a canonical model, and opens its batch if that changes no scores. To check this, samples
 * run through the given model, and through the open one, one at a time and in larger batches.
 * @throws BedsideError E_UNSUPPORTED for a fixed batch above 1 that cannot be opened, since workers run single samples
 */
export async function runnable(model: Model, name: string, data: Samples): Promise<Runnable> {
  const { model: sole, dropped } = withFirstOutput(model);
  const form = formOf(sole);
  // Opened when it was loaded. A bundle stays open, whatever its file was.
  if (form?.batch !== undefined) {
    return { model: withForm(sole, { batch: undefined }), dropped, freedBatch: form.batch };
  }
  const fixed = fixedBatchOf(sole);
  if (fixed === undefined || data.size === 0) return { model: sole, dropped, freedBatch: undefined };
  const open = await openedBatch(sole, name, data);
  if (typeof open !== 'string') return { model: open, dropped, freedBatch: fixed };
  // A fixed batch of 1 already fits single samples.
  if (fixed === 1) return { model: sole, dropped, freedBatch: undefined };
  throw new BedsideError(
    'E_UNSUPPORTED',
    `${name} fixes a batch of ${fixed}, and with an open one ${open}: workers run one sample at a time`,
    { hint: 'export the model with a free batch axis (dynamic_axes), or a batch of 1' },
  );
}

/** Removes the outputs after the first, and the nodes that only they need. */
export function withFirstOutput(model: Model): Pick<Runnable, 'model' | 'dropped'> {
  const [first, ...others] = model.graph.outputs;
  if (!first || others.length === 0) return { model, dropped: { outputs: [], nodes: [] } };
  const result = cloneModel(model);
  result.graph.outputs = [must(result.graph.outputs[0], 'an output')];
  removeDead(result.graph);
  const left = new Set(result.graph.nodes.map(({ name }) => name));
  return {
    model: result,
    dropped: {
      outputs: others.map(({ name }) => name),
      nodes: model.graph.nodes.flatMap((node) => (left.has(node.name) ? [] : [node.name])),
    },
  };
}
