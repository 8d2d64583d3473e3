// The forms of a model that use cases work on, and the way back to that of its file.
import { createSession, withEngineShapes } from '../../engine/index.ts';
import { describeClassifier, madeSamples, openedBatch } from '../../evaluate/internal.ts';
import { type Model, modelCosts, saveModel } from '../../onnx/index.ts';
import {
  dequantised,
  fixedBatchOf,
  formOf,
  inFloat32,
  restored,
  symbolicShapes,
  typeName,
  withFloatOutputs,
  withForm,
  withOneInput,
  withOutputFirst,
  withoutFunctions,
  withSqueezeAxes,
} from '../../onnx/internal.ts';
import { BedsideError } from '../../util/index.ts';

/**
 * A model with one float32 input, its explained output first and of float32, its functions written out. It computes as
 * the file does.
 * @throws BedsideError E_USAGE for an output that it does not have; as `withOneInput`
 */
export function inOneForm(model: Model, name: string, output?: string): Model {
  const plain = withoutFunctions(model);
  const chosen = output === undefined ? plain : withOutputFirst(plain, output, name);
  return withFloatOutputs(withOneInput(chosen, name));
}

/**
 * The same model in float32 throughout, as ranking and repair need it; the model itself where it is so.
 * @throws BedsideError E_UNSUPPORTED for numbers that cannot be; as `withEngineShapes`
 */
export async function computedForm(model: Model, name: string): Promise<Model> {
  const floats = inFloat32(dequantised(model, name), name);
  if (floats === model) return model;
  const known = withSqueezeAxes(await withEngineShapes(floats, name));
  // What was measured because of operators without shapes is declared no more.
  const shapes = symbolicShapes(known);
  const outputs = known.graph.outputs.map((value) => ({
    ...value,
    dims: value.dims ?? shapes.get(value.name),
  }));
  return { ...known, graph: { ...known.graph, outputs } };
}

/** Samples of a trial that opens a batch, and the batches in which the open network runs them. */
const TRIAL = { most: 3, batches: [1, 3] } as const;

/**
 * A canonical model whose batch is open, where it was fixed and a trial shows that this changes no scores, so that
 * whatever ranks, explains and repairs takes any number of samples; otherwise the model itself.
 */
export async function withOpenBatch(model: Model, name: string): Promise<Model> {
  const batch = fixedBatchOf(model);
  if (batch === undefined) return model;
  const samples = madeSamples(model, describeClassifier(model, name), TRIAL.most);
  const open = await openedBatch(model, name, samples, TRIAL);
  return typeof open === 'string' ? model : withForm(open, { batch });
}

/** What is said of a network that computes in other numbers than are ranked and repaired. */
export function formRemarks(model: Model): string[] {
  const form = formOf(model);
  if (form?.dequantised) {
    return ['the model computes with eight bits: it is ranked, repaired, packed and written in float32'];
  }
  if (!form?.numbers) return [];
  const type = typeName(form.numbers.elemType);
  return [
    `the model has numbers of ${type}: ranking, repair and bundles are in float32, and prune writes it as it came`,
  ];
}

/** A model as its file would have it, and what of that cannot be. */
export interface FileForm {
  readonly model: Model;
  readonly remarks: readonly string[];
}

/** The model with the inputs, outputs and numbers of the file that it was made from, as far as the engine runs that. */
export async function fileForm(model: Model, name: string): Promise<FileForm> {
  const own = restored(model);
  if (formOf(model)?.numbers === undefined) return own;
  return (await isRun(own.model, name)) ? own : restored(model, false);
}

async function isRun(model: Model, name: string): Promise<boolean> {
  try {
    const session = await createSession(model, { name });
    await session.release();
    return true;
  } catch (error) {
    if (!BedsideError.is(error, 'E_ENGINE')) throw error;
    return false;
  }
}

/**
 * Writes a model as the file that it was made from has it; weights go beside it where the file would be too large.
 * @returns what could not be kept of that file, in sentences
 * @throws BedsideError E_OUTPUT
 */
export async function saveNetwork(model: Model, out: string): Promise<readonly string[]> {
  const file = await fileForm(model, out);
  // Protobuf ends at 2 GiB.
  await saveModel(file.model, out, { externalData: modelCosts(model).parameters * 4 > 1.9e9 });
  return file.remarks;
}
