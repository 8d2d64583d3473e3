// What `bedside --version --verbose` prints.
import { VERSION } from '../util/index.ts';

const WORDS: ReadonlySet<string> = new Set(['-V', '--version', '--verbose']);

/** Whether the words ask for the version at length, and for nothing else. */
export function asksForVersionText(words: readonly string[]): boolean {
  return (
    words.length === 2 &&
    new Set(words).size === 2 &&
    words.includes('--verbose') &&
    words.every((word) => WORDS.has(word))
  );
}

/** The versions that a report of a fault needs, and what bedside is not for. */
export async function versionText(): Promise<string> {
  const { ENGINE } = await import('../engine/index.ts');
  return [
    `bedside ${VERSION}`,
    `${ENGINE.name} ${ENGINE.version}, Node ${process.version}, ${process.platform} ${process.arch}`,
    'Research software, not for clinical use.',
    '',
  ].join('\n');
}
