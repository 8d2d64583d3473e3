// Opens a bundle. No byte is used before its hash is checked.
import { join } from 'node:path';
import { findGroups } from '../channels/index.ts';
import { readModel } from '../onnx/index.ts';
import { BedsideError, formatBytes } from '../util/index.ts';
import { MAX_TEXT_BYTES, RegularFile, readFileChecked, sha256Of } from '../util/internal.ts';
import { assertAgreement } from './agreement.ts';
import type { Bundle } from './bundle.ts';
import { type BundleManifest, type FilePart, MANIFEST_FILE } from './manifest.ts';
import { parseManifest } from './parse-manifest.ts';
import { decodeSafetensors } from './safetensors.ts';

/** How often a bundle may be replaced while it is being read. */
const ATTEMPTS = 5;

/**
 * Opens a bundle. It checks the version first, then the SHA-256 of every part, computed on the bytes that are used,
 * then whether manifest, model and weights agree. A bundle that is replaced meanwhile is read again.
 * @throws BedsideError E_BUNDLE for a folder that is not a bundle, or one that contradicts itself; E_BUNDLE_VERSION;
 * E_BUNDLE_MISSING and E_BUNDLE_HASH for parts; E_FILE for files that cannot be read
 */
export async function openBundle(dir: string): Promise<Bundle> {
  const path = join(dir, MANIFEST_FILE);
  for (let attempt = 1; ; attempt++) {
    const bytes = await readManifest(dir, path);
    const manifest = parseManifest(bytes, path);
    const parts = await readParts(dir, manifest);
    if (parts instanceof BedsideError) {
      const replaced = Buffer.compare(bytes, await readManifest(dir, path)) !== 0;
      if (replaced && attempt < ATTEMPTS) continue;
      throw parts;
    }
    const model = readModel(parts.model, join(dir, manifest.model.file));
    const tensors = decodeSafetensors(parts.weights, join(dir, manifest.weights.file));
    const grouping = findGroups(model);
    assertAgreement({ manifest, model, grouping, tensors }, dir);
    return { dir, sha256: sha256Of(bytes), manifest, model, grouping, tensors };
  }
}

async function readManifest(dir: string, path: string): Promise<Uint8Array> {
  try {
    return await readFileChecked(path, 'manifest', { maxBytes: MAX_TEXT_BYTES, mayBeEmpty: true });
  } catch (cause) {
    const code = codeOf(cause);
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw cause;
    throw new BedsideError('E_BUNDLE', `${dir} is not a bundle: it has no ${MANIFEST_FILE}`, {
      hint: 'name the folder that `bedside pack` wrote',
      cause,
    });
  }
}

async function readParts(
  dir: string,
  { model, weights }: BundleManifest,
): Promise<{ model: Uint8Array; weights: Uint8Array } | BedsideError> {
  try {
    return { model: await readPart(dir, model), weights: await readPart(dir, weights) };
  } catch (error) {
    if (BedsideError.is(error)) return error;
    throw error;
  }
}

/** The bytes of a part, after checking their hash. */
async function readPart(dir: string, part: FilePart): Promise<Uint8Array> {
  const path = join(dir, part.file);
  const file = await RegularFile.open(path, 'bundle file').catch((cause: unknown) => {
    if (codeOf(cause) !== 'ENOENT') throw cause;
    throw new BedsideError('E_BUNDLE_MISSING', `bundle ${dir}: ${part.file} is missing`, {
      hint: 'copy the whole folder again; its files belong together',
      cause,
    });
  });
  const hint = 'the file is damaged or was changed; copy the bundle again, or pack the model again';
  let bytes: Uint8Array;
  try {
    if (file.size !== part.bytes) {
      const sizes = `${formatBytes(file.size)} (${file.size} bytes), expected ${part.bytes} bytes`;
      throw new BedsideError('E_BUNDLE_HASH', `bundle ${dir}: ${part.file} has ${sizes}`, { hint });
    }
    bytes = await file.read(0, file.size);
  } finally {
    await file.close();
  }
  const sha256 = sha256Of(bytes);
  if (sha256 !== part.sha256) {
    const hashes = `SHA-256 is ${sha256}, expected ${part.sha256}`;
    throw new BedsideError(
      'E_BUNDLE_HASH',
      `bundle ${dir}: ${part.file} is not as it was written: ${hashes}`,
      {
        hint,
      },
    );
  }
  return bytes;
}

/** The system's code of a reading error. */
function codeOf(error: unknown): string | undefined {
  return ((error as BedsideError).cause as NodeJS.ErrnoException | undefined)?.code;
}
