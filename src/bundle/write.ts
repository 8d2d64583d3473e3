// Writes a bundle so that, killed at any moment, there is either the old bundle or the new one.
//
// The model and the weights bear the start of their hash as names, so new ones stand beside the old ones. They are on
// the disk before the new manifest takes the old one's name, in one step: from then on the bundle is the new one.
// Files that the manifest does not name are removed afterwards, or by the next write.
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findGroups } from '../channels/index.ts';
import { type Model, readModel, writeModel } from '../onnx/index.ts';
import { BedsideError, messageOf } from '../util/index.ts';
import { removeLeftovers, sha256Of, throughTemporary } from '../util/internal.ts';
import { assertAgreement } from './agreement.ts';
import {
  BUNDLE_VERSION,
  type BundleManifest,
  type FilePart,
  MANIFEST_FILE,
  type ManifestParts,
  modelFile,
  TASKED_VERSION,
  UNTASKED_VERSION,
  weightsFile,
} from './manifest.ts';
import { checkManifest } from './parse-manifest.ts';
import { encodeSafetensors, type StoredTensor } from './safetensors.ts';
import { sealed } from './seal.ts';
import { isRecurrentPart } from './weight-names.ts';

/** The contents of a bundle. */
export interface BundleContents {
  readonly manifest: ManifestParts;
  /** Canonical, with the units of every group from the most to the least important. */
  readonly model: Model;
  /** Repaired weights and corrections, by the names of `weight-names.ts`. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/**
 * Writes a bundle into a folder, which is made if it is missing; a bundle that is there is replaced. One writer at a
 * time. Everything that opening checks is checked before anything is written.
 * @returns the manifest as it was written
 * @throws BedsideError E_BUNDLE when the parts do not agree; E_OUTPUT when the folder cannot be written
 */
export async function writeBundle(dir: string, contents: BundleContents): Promise<BundleManifest> {
  const { tensors } = contents;
  const modelBytes = writeModel(contents.model);
  const weightBytes = encodeSafetensors(tensors);
  const manifest = completed(contents.manifest, modelBytes, weightBytes, versionOf(contents));
  const name = `the bundle for ${dir}`;
  checkManifest(manifest, name);
  // The model as it will be read.
  const model = readModel(modelBytes, name);
  assertAgreement({ manifest, model, grouping: findGroups(model), tensors }, name);
  try {
    await mkdir(dir, { recursive: true });
    await writeSynced(dir, manifest.model.file, modelBytes);
    await writeSynced(dir, manifest.weights.file, weightBytes);
    await syncFolder(dir);
    await writeSynced(dir, MANIFEST_FILE, sealed(manifest));
    await syncFolder(dir);
    await clearAway(dir, manifest);
  } catch (cause) {
    throw new BedsideError('E_OUTPUT', `cannot write the bundle ${dir}: ${messageOf(cause)}`, {
      hint: 'choose a folder you may write to, on a disk with enough room',
      cause,
    });
  }
  return manifest;
}

/** The oldest version whose readers assemble the bundle right. */
function versionOf({ manifest: { task, contract }, tensors }: BundleContents): number {
  if ([...tensors.keys()].some(isRecurrentPart)) return BUNDLE_VERSION;
  // Who reads data for it must know of both.
  return task || contract ? TASKED_VERSION : UNTASKED_VERSION;
}

function completed(
  parts: ManifestParts,
  model: Uint8Array,
  weights: Uint8Array,
  version: number,
): BundleManifest {
  // Fields that this write determines do not count in a manifest that was read.
  const {
    name,
    model: signature,
    format: _,
    version: __,
    weights: ___,
    ...rest
  } = parts as ManifestParts & Partial<BundleManifest>;
  return {
    format: 'bedside-bundle',
    version,
    name,
    model: { ...filePart(model, modelFile), ...signature },
    weights: filePart(weights, weightsFile),
    ...rest,
  };
}

function filePart(bytes: Uint8Array, name: (sha256: string) => string): FilePart {
  const sha256 = sha256Of(bytes);
  return { file: name(sha256), sha256, bytes: bytes.length };
}

/** A file that is on the disk, whole, before it has its name. */
async function writeSynced(dir: string, name: string, bytes: Uint8Array): Promise<void> {
  await throughTemporary(join(dir, name), async (temporary) => {
    const file = await open(temporary, 'r+');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
  });
}

/** Puts new names on the disk. Not every system can open a folder for this; there, the names follow later. */
async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, 'r').catch(() => undefined);
  await folder?.sync().catch(() => {});
  await folder?.close();
}

const PART = /^(model-[0-9a-f]{12}\.onnx|weights-[0-9a-f]{12}\.safetensors)$/;
/** As they were called before their names said whose they are. */
const TEMPORARY =
  /^\.(bundle\.json|model-[0-9a-f]{12}\.onnx|weights-[0-9a-f]{12}\.safetensors)\.[0-9a-f]{12}\.tmp$/;

/** Removes parts of earlier bundles, and what other writers left behind; nothing else. */
async function clearAway(dir: string, { model, weights }: BundleManifest): Promise<void> {
  removeLeftovers(dir);
  for (const name of await readdir(dir)) {
    const stale = PART.test(name) && name !== model.file && name !== weights.file;
    if (stale || TEMPORARY.test(name)) await rm(join(dir, name), { force: true }).catch(() => {});
  }
}
