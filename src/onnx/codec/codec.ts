// Models as files.
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { BedsideError, formatBytes, writeFileAtomic } from '../../util/index.ts';
import { readFileChecked } from '../../util/internal.ts';
import type { Model } from '../graph.ts';
import { encodeModel, MAX_BYTES } from './encode.ts';
import { moveToExternal, readExternalData } from './external.ts';
import { modelFromProto, parseModel } from './read.ts';
import { protoFromModel } from './write.ts';

export { readModel, SUPPORTED } from './read.ts';
export { writeModel } from './write.ts';

/**
 * Loads a `.onnx` file, and the data files beside it that it names.
 * @throws BedsideError E_FILE when unreadable, E_MODEL when damaged or inconsistent, E_UNSUPPORTED for other versions
 *   and for more than 2 GiB, in the file or beside it
 */
export async function loadModel(path: string): Promise<Model> {
  const size = (await stat(path).catch(() => undefined))?.size ?? 0;
  if (size > MAX_BYTES) {
    throw new BedsideError(
      'E_UNSUPPORTED',
      `model ${path} has ${formatBytes(size)}: an ONNX file holds less than 2 GiB`,
      {
        hint: 'it is damaged or something else; models of more keep their weights beside the file, and are not run here',
      },
    );
  }
  const proto = parseModel(await readFileChecked(path, 'model'), path);
  await readExternalData(proto, path);
  return modelFromProto(proto, path);
}

/** How a model is saved. */
export interface SaveOptions {
  /** Put large tensors into `<file>.data` beside the model (needed above 2 GiB); default false. */
  readonly externalData?: boolean;
}

/**
 * Saves a model, whole or not at all. A data file is complete before the model that names it appears.
 * @throws BedsideError E_OUTPUT when a file cannot be written
 */
export async function saveModel(model: Model, path: string, options: SaveOptions = {}): Promise<void> {
  const proto = protoFromModel(model);
  if (options.externalData) {
    const data = moveToExternal(proto, `${basename(path)}.data`);
    if (data.length > 0) await writeFileAtomic(`${path}.data`, data);
  }
  await writeFileAtomic(path, encodeModel(proto));
}
