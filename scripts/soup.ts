// Writes docs/soup.md: the packages of others that are installed with bedside or are part of its pages (software of unknown
// provenance, IEC 62304), from package-lock.json and the table of what each is for below.
// Command: npm run docs:soup
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

export const SOUP_PAGE = fileURLToPath(new URL('../docs/soup.md', import.meta.url));

/** What a package of our own choice is for, and when its code is loaded. */
interface Purpose {
  readonly use: string;
  readonly loaded: string;
}

const PURPOSES: Readonly<Record<string, Purpose>> = {
  '@bufbuild/protobuf': { use: 'reads and writes ONNX files', loaded: 'always' },
  '@nats-io/jetstream': { use: 'bundles and anchors on a NATS server', loaded: 'with `--fabric nats://`' },
  '@nats-io/nkeys': { use: 'keys of a cluster', loaded: 'with `--fabric nats://`, `cluster`' },
  '@nats-io/obj': { use: 'bundles on a NATS server', loaded: 'with `--fabric nats://`' },
  '@nats-io/transport-node': { use: 'connections to a NATS server', loaded: 'with `--fabric nats://`' },
  '@opentelemetry/api': {
    use: 'spans, for a provider that the operator registers',
    loaded: '`serve`, `infer`, `worker`',
  },
  'cli-progress': { use: 'progress bars', loaded: 'the command line' },
  commander: { use: 'options of the command line', loaded: 'the command line' },
  fastify: { use: 'HTTP server of the gateway', loaded: '`serve`, `demo`' },
  fflate: { use: 'archives, compressed arrays', loaded: 'reading data' },
  'light-my-request': { use: 'hands requests that Node refuses to the server', loaded: '`serve`, `demo`' },
  'onnxruntime-node': { use: 'computes networks', loaded: 'always when something is computed' },
  'prom-client': { use: 'metrics', loaded: '`serve`, `demo`' },
  zod: { use: 'checks files and messages', loaded: 'always' },
  '@cornerstonejs/codec-charls': { use: 'JPEG-LS in DICOM images', loaded: 'DICOM images' },
  '@cornerstonejs/codec-libjpeg-turbo-8bit': { use: 'JPEG in DICOM images', loaded: 'DICOM images' },
  '@cornerstonejs/codec-openjpeg': { use: 'JPEG 2000 in DICOM images', loaded: 'DICOM images' },
  '@cornerstonejs/codec-openjph': {
    use: 'high-throughput JPEG 2000 in DICOM images',
    loaded: 'DICOM images',
  },
  'dicom-parser': { use: 'reads DICOM files', loaded: 'DICOM images' },
  'jpeg-lossless-decoder-js': { use: 'lossless JPEG in DICOM images', loaded: 'DICOM images' },
  '@jax-js/jax': { use: 'trains policies', loaded: '`train`' },
  '@peculiar/x509': { use: 'makes certificates', loaded: '`cluster init`, `service certificate`' },
  dcmjs: { use: 'writes DICOM reports', loaded: 'DICOM reports' },
  highs: { use: 'the planner `highs`', loaded: '`--solver highs`' },
  jose: { use: 'checks tokens of an identity provider', loaded: '`serve --oidc`' },
  'reflect-metadata': { use: 'needed by `@peculiar/x509`', loaded: 'with it' },
  sharp: { use: 'reads and draws images', loaded: 'images' },
  ws: { use: 'WebSocket connections of live streams', loaded: 'live streams' },
};

/** Packages that Vite puts into the pages of the dashboard; they run in the browser. */
const IN_PAGES: Readonly<Record<string, string>> = {
  svelte: 'the pages of the dashboard',
  uplot: 'charts',
  clsx: 'names of classes, for `svelte`',
  'esm-env': 'which build it is, for `svelte`',
};

/** An entry of the lock file. */
interface LockedPackage {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly devOptional?: boolean;
  readonly link?: boolean;
  readonly os?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** A lock file, as far as it is read. */
export interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

/** The lock file of the project. */
export function readLock(): Lock {
  return JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as Lock;
}

/** One version of a package that users get. */
export interface Soup {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  /** Our own dependencies that bring it; empty for those themselves. */
  readonly by: readonly string[];
  readonly optional: boolean;
}

/** Packages that are installed with bedside, each version once. */
export function soupOf({ packages }: Lock): Soup[] {
  const root = packages[''] ?? {};
  const own = Object.keys({ ...root.dependencies, ...root.optionalDependencies });
  const brought = new Map<string, Set<string>>();
  for (const name of own) walk(packages, `node_modules/${name}`, name, brought);
  return [...brought]
    .map(([path, by]): Soup => {
      const { version = '?', license = 'not said', optional, devOptional } = packages[path] ?? {};
      const name = nameOf(path);
      const isOwn = own.includes(name) && path === `node_modules/${name}`;
      const isOptional = optional === true || devOptional === true;
      return { name, version, licence: license, by: isOwn ? [] : [...by].sort(), optional: isOptional };
    })
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.version < b.version ? -1 : 1));
}

/** Notes that a package, and what it needs, is brought by one of ours. */
function walk(packages: Lock['packages'], path: string, by: string, brought: Map<string, Set<string>>): void {
  const entry = packages[path];
  const known = brought.get(path) ?? new Set();
  if (!entry || known.has(by)) return;
  brought.set(path, known.add(by));
  for (const name of Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })) {
    const found = resolved(packages, path, name);
    if (found !== undefined) walk(packages, found, by, brought);
  }
}

/** Where Node finds a package from another one's folder. */
function resolved(packages: Lock['packages'], from: string, name: string): string | undefined {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const path = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    if (packages[path]) return path;
    if (at === '' || !at.includes('node_modules/')) return undefined;
    if (!at.includes('/node_modules/')) at = '/node_modules/';
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

/** The page. @throws Error for a dependency of ours of which nobody says what it is for */
export function soupPage(lock: Lock): string {
  const all = soupOf(lock);
  const own = all.filter(({ by }) => by.length === 0);
  const missing = own.filter(({ name }) => !PURPOSES[name]).map(({ name }) => name);
  if (missing.length > 0) {
    throw new Error(`say in scripts/soup.ts what ${missing.join(', ')} is for, and when it is loaded`);
  }
  return `${[
    '# Packages of others (SOUP)',
    'Software that others wrote and that users of bedside get: its list for IEC 62304, written by `npm run docs:soup` from\n' +
      '`package-lock.json`. `npm run sbom` writes the same packages, with their hashes, as CycloneDX. Node itself, and for some\n' +
      'commands `nats-server`, come from the system. Licences are those that the packages state.',
    '## Chosen by us',
    table(
      ['package', 'version', 'licence', 'what for', 'loaded', 'optional'],
      own.map(({ name, version, licence, optional }) => {
        const { use, loaded } = PURPOSES[name] as Purpose;
        return [name, version, licence, use, loaded, optional ? 'yes' : ''];
      }),
    ),
    '## Brought by these',
    'Loaded when the package that brings it is. Those of `sharp` and `onnxruntime-node` for other systems are not installed.\n' +
      '`sharp` brings libvips under LGPL-3.0-or-later, as a library of its own, which may be replaced.',
    table(
      ['package', 'version', 'licence', 'brought by'],
      all
        .filter(({ by }) => by.length > 0)
        .map(({ name, version, licence, by }) => [name, version, licence, by.join(', ')]),
    ),
    '## In the pages of the dashboard',
    table(['package', 'version', 'licence', 'what for'], inPages(lock)),
    '## For development alone',
    'Not part of the package, and not installed by users: they build and test it. Two kinds are under MPL-2.0, whose terms\n' +
      'concern changes of their own files: `axe-core` looks at the pages in tests, `lightningcss` is used by Vite.',
    table(['package', 'version', 'licence'], forDevelopment(lock)),
  ].join('\n\n')}\n`;
}

function inPages({ packages }: Lock): string[][] {
  return Object.entries(IN_PAGES).map(([name, use]) => {
    const { version = '?', license = 'not said' } =
      packages[`node_modules/${name}`] ?? packages[`web/node_modules/${name}`] ?? {};
    return [name, version, license, use];
  });
}

/** What package.json and web/package.json name for development. */
function forDevelopment({ packages }: Lock): string[][] {
  const named = { ...packages['']?.devDependencies, ...packages.web?.devDependencies };
  const names = [...new Set([...Object.keys(named), 'lightningcss'])]
    .filter((name) => !(name in IN_PAGES))
    .sort();
  return names.map((name) => {
    const { version = '?', license = 'not said' } =
      packages[`node_modules/${name}`] ?? packages[`web/node_modules/${name}`] ?? {};
    return [name, version, license];
  });
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(SOUP_PAGE, soupPage(readLock()));
