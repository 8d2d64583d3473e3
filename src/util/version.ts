// The version of the package, read from its package.json: the same place from `src` and from `dist`.
import { readFileSync } from 'node:fs';

/** Such as `0.1.0`. */
export const VERSION: string = readVersion();

function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return String((JSON.parse(text) as { version: unknown }).version);
}
