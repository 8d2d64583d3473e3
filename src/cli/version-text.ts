// What `bedside --version` and `bedside --version --verbose` print.
import { VERSION } from '../util/index.ts';

/** Whether the words ask for the version, and for nothing else: no command has to be loaded for it. */
export function asksForVersion(words: readonly string[]): boolean {
  const [version, ...others] = words.filter((word) => word !== '--verbose');
  return (version === '-V' || version === '--version') && others.length === 0 && words.length <= 2;
}

/** The version; at length also those that a report of a fault needs, and what bedside is not for. */
export async function versionText(verbose: boolean): Promise<string> {
  if (!verbose) return `${VERSION}\n`;
  const { ENGINE } = await import('../engine/index.ts');
  return [
    `bedside ${VERSION}`,
    `${ENGINE.name} ${ENGINE.version}, Node ${process.version}, ${process.platform} ${process.arch}`,
    'Research software, not for clinical use.',
    '',
  ].join('\n');
}
