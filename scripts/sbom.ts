// Writes the bill of materials of what users install, as CycloneDX, by npm's own command from package-lock.json.
// Command: npm run sbom [-- FILE]; default dist/bedside.cdx.json
import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readLock, soupOf } from './soup.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

interface Component {
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly hashes?: readonly object[];
  readonly properties?: readonly { readonly name: string; readonly value: string }[];
}

/** A bill of materials, as far as it is read here. */
export interface Sbom {
  readonly bomFormat: string;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

/** What npm says of the lock file. */
export function npmSbom(more: readonly string[] = []): Sbom {
  const words = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only', ...more];
  const text = execFileSync('npm', words, {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return JSON.parse(text) as Sbom;
}

/**
 * The bill of what users install. npm's own `--omit dev` leaves out what development needs too, so it is taken from the whole.
 * npm calls the project by the folder's name; here it has its own.
 */
export function sbom(): Sbom {
  const { metadata, components, dependencies, ...rest } = npmSbom();
  const installed = new Set(soupOf(readLock()).map(({ name, version }) => `${name}@${version}`));
  const kept = components.filter(({ name, version }) => installed.has(`${name}@${version}`));
  const refs = new Set([...kept.map((one) => one['bom-ref']), metadata.component['bom-ref']]);
  return {
    ...rest,
    metadata: { ...metadata, component: { ...metadata.component, name: 'bedside' } },
    components: kept.map(withoutDevelopment),
    dependencies: dependencies
      .filter(({ ref }) => refs.has(ref))
      .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((one) => refs.has(one)) })),
  };
}

/** npm marks what is also needed for development as if it were for that alone. */
function withoutDevelopment(component: Component): Component {
  const properties = component.properties?.filter(({ name }) => name !== 'cdx:npm:package:development');
  return { ...component, ...(properties ? { properties } : {}) };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = process.argv[2] ?? 'dist/bedside.cdx.json';
  const { components, ...rest } = sbom();
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.tmp`, `${JSON.stringify({ ...rest, components }, null, 2)}\n`);
  renameSync(`${file}.tmp`, file);
  process.stdout.write(`${file}: ${components.length} packages\n`);
}
