// The model card of a bundle, as a file.
import { realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { modelCard } from '../../report/index.ts';
import { assertWritable, BedsideError, writeFileAtomic } from '../../util/index.ts';
import { type InspectBundleResult, inspectBundle } from '../inspect/inspect.ts';
import { type Journal, journalOf, type Reporter } from '../reporter.ts';

/** What `inspectBundle` found, and its card. */
export interface CardResult extends InspectBundleResult {
  /** Markdown. */
  readonly card: string;
  /** The file that it was written to. */
  readonly out?: string;
}

/**
 * Opens a bundle, which checks every byte of it, and writes its model card: what it is, what it reads and answers, how well,
 * where that was measured, and what it does not know.
 * @param folder of the bundle
 * @param out a file for the card, outside the bundle
 * @throws BedsideError as `inspectBundle`; E_USAGE for a file in the bundle's folder; E_OUTPUT when it cannot be written
 */
export async function writeModelCard(
  folder: string,
  out?: string,
  reporter?: Reporter | Journal,
): Promise<CardResult> {
  const journal = journalOf(reporter);
  if (out !== undefined) {
    await assertOutside(folder, out);
    await assertWritable(out);
  }
  const found = await inspectBundle(folder, journal);
  const card = modelCard(found);
  if (out !== undefined) await writeFileAtomic(out, card);
  return { ...found, card, ...(out === undefined ? {} : { out }) };
}

/** A card under the name of a bundle's file would replace it. */
async function assertOutside(folder: string, out: string): Promise<void> {
  const real = (path: string): Promise<string> => realpath(path).catch(() => resolve(path));
  if ((await real(dirname(out))) !== (await real(folder))) return;
  throw new BedsideError('E_USAGE', `--out ${out} is in the folder of the bundle`, {
    hint: 'choose another folder',
  });
}
