// The kept corpus: small valid files that cases damage, and damaged ones that once were not refused as they should be.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Corpus } from './medical-corpus.ts';

/** Holds a folder for each kind; within it, `found` has what once failed. */
export const CORPUS = fileURLToPath(new URL('../../../bench/fuzz/corpus', import.meta.url));

/** Valid files of a kind, or those in `found`. */
export function keptCorpus(kind: string, folder: '.' | 'found' = '.'): Corpus {
  const path = join(CORPUS, kind, folder);
  const files = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files
      .map(({ name }) => name)
      .sort()
      .map((name) => [name, new Uint8Array(readFileSync(join(path, name)))]),
  );
}
