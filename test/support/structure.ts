// Reads the imports of TypeScript sources and says where they break the folder rules. Works on a map from path to
// text, so that the rules themselves can be tested.
import { posix } from 'node:path';
import { Visitor } from 'oxc-parser';
import { type FolderRule, ROOT } from './folders.ts';
import { parsed } from './parsed.ts';

/** Folders that see of others only what is published: `internal.ts` is for sibling folders below them. */
const OUTER: ReadonlySet<string> = new Set([ROOT, 'cli']);

/** Sources by path from the repository's root, `/` between folders. */
export type Sources = ReadonlyMap<string, string>;

/** One import or re-export. */
export interface ImportEdge {
  readonly from: string;
  /** A path for relative imports, else the specifier. */
  readonly to: string;
  readonly relative: boolean;
  /** Erased when compiled: `import type`, `export type`, `import('x').T`. */
  readonly typeOnly: boolean;
}

/** Whether a path is shipped code, and not a test or help for tests. */
export function isShipped(path: string): boolean {
  return path.startsWith('src/') && !path.endsWith('.test.ts') && !path.includes('/test-support/');
}

/** All imports of the shipped sources, static, dynamic and in types. */
export function importEdges(sources: Sources): ImportEdge[] {
  return [...sources].filter(([path]) => isShipped(path)).flatMap(([path, text]) => edgesOf(path, text));
}

/** All imports of what is not shipped: tests and their support, benchmarks, scripts and examples. */
export function outsideEdges(sources: Sources): ImportEdge[] {
  return [...sources].filter(([path]) => !isShipped(path)).flatMap(([path, text]) => edgesOf(path, text));
}

/**
 * Imports of tests, benchmarks, scripts and examples that pass by a folder's doors. A test may import the files of its own
 * folder, and every `test-support`; `generated` files have no door.
 */
export function pastDoors(edges: readonly ImportEdge[], generated: ReadonlySet<string>): ImportEdge[] {
  return edges.filter(({ from, to, relative }) => {
    if (!relative || !to.startsWith('src/') || generated.has(to) || to.includes('/test-support/'))
      return false;
    if (from.startsWith('src/') && folderOf(from) === folderOf(to)) return false;
    // The command itself: what starts it as a process names its file.
    if (to === 'src/cli/main.ts') return false;
    return folderOf(to) !== ROOT && !/^src\/[^/]+\/(index|internal)\.ts$/.test(to);
  });
}

/** Imports between folders that the rules do not allow, or that bypass a folder's doors. */
export function folderViolations(
  edges: readonly ImportEdge[],
  rules: Readonly<Record<string, FolderRule>>,
): string[] {
  const problems: string[] = [];
  for (const { from, to, typeOnly } of edges.filter((edge) => edge.relative)) {
    const [source, target] = [folderOf(from), folderOf(to)];
    const rule = rules[source];
    if (!rule) problems.push(`${from}: folder '${source}' has no rule`);
    if (!to.startsWith('src/')) problems.push(`${from}: imports ${to}, which is outside src/`);
    else if (rule && source !== target) {
      const typesAllowed = rule.types?.includes(target) ?? false;
      if (!rule.imports.includes(target) && !typesAllowed) {
        problems.push(`${from}: '${source}' may not import '${target}' (${to})`);
      } else if (!rule.imports.includes(target) && !typeOnly) {
        problems.push(`${from}: '${source}' may import only types of '${target}', with \`import type\``);
      }
      const doors = [`src/${target}/index.ts`, ...(OUTER.has(source) ? [] : [`src/${target}/internal.ts`])];
      if (!doors.includes(to) && !opensOneUseCase(from, to))
        problems.push(`${from}: imports ${to}, not ${doors.join(' or ')}`);
    }
  }
  return problems;
}

/** A command opens its own use case, so that it loads only the parts of that one. */
function opensOneUseCase(from: string, to: string): boolean {
  return from.startsWith('src/cli/') && to.startsWith('src/app/') && to !== 'src/app/internal.ts';
}

/** Loops between folders, each as `a -> b -> a`. */
export function folderLoops(edges: readonly ImportEdge[]): string[] {
  const between = edges
    .filter(({ relative, from, to }) => relative && folderOf(from) !== folderOf(to))
    .map(({ from, to }): [string, string] => [folderOf(from), folderOf(to)]);
  return loops(between);
}

/** Loops between files, those through types included. */
export function fileLoops(edges: readonly ImportEdge[]): string[] {
  return loops(edges.filter((edge) => edge.relative).map(({ from, to }): [string, string] => [from, to]));
}

/** Relative imports of files that are not there, or that do not end in `.ts`. */
export function danglingImports(edges: readonly ImportEdge[], sources: Sources): string[] {
  return edges
    .filter(({ relative, to }) => relative && !sources.has(to))
    .map(({ from, to }) => `${from}: imports ${to}, which does not exist`);
}

/** Shipped files outside `src/engine` that name an ONNX Runtime package, in an import or in any other string. */
export function engineNames(sources: Sources): string[] {
  return [...sources]
    .filter(([path]) => isShipped(path) && folderOf(path) !== 'engine')
    .filter(([, text]) => /['"`]onnxruntime-/.test(text))
    .map(([path]) => `${path}: names onnxruntime-*, which only src/engine may`);
}

/** Parts of a process that belong to the command line alone. */
const OF_THE_COMMAND_LINE: ReadonlySet<string> = new Set(['exit', 'exitCode', 'stdout', 'stderr', 'argv']);

/** Files of `src/app` that know of the command line: its packages, its folder, exit codes, or a terminal. */
export function commandLineNames(sources: Sources): string[] {
  const problems: string[] = [];
  for (const [path, text] of sources) {
    if (!isShipped(path) || folderOf(path) !== 'app') continue;
    for (const { to } of edgesOf(path, text)) {
      if (/^(commander|cli-progress)$|^src\/cli\//.test(to)) problems.push(`${path}: imports ${to}`);
    }
    new Visitor({
      MemberExpression: ({ object, property }) => {
        if (object.type !== 'Identifier' || property.type !== 'Identifier') return;
        if (object.name === 'console') problems.push(`${path}: prints by console.${property.name}`);
        if (object.name === 'process' && OF_THE_COMMAND_LINE.has(property.name)) {
          problems.push(`${path}: names process.${property.name}`);
        }
      },
    }).visit(parsed(path, text));
  }
  return problems;
}

/**
 * Packages that shipped files import without their being dependencies of the package.
 * @param typed packages of which types alone are installed, for development: nothing but types may be imported of them
 */
export function undeclaredPackages(
  edges: readonly ImportEdge[],
  dependencies: ReadonlySet<string>,
  typed: ReadonlySet<string> = new Set(),
): string[] {
  return edges
    .filter(({ relative, to }) => !relative && !to.startsWith('node:'))
    .filter(({ to }) => !dependencies.has(packageOf(to)))
    .filter(({ to, typeOnly }) => !(typeOnly && typed.has(packageOf(to))))
    .map(({ from, to }) => `${from}: imports ${to}, which package.json does not list in dependencies`);
}

/** Files longer than allowed: 400 lines, tests 600, files of a command 150; generated files are exempt. */
export function longFiles(sources: Sources, generated: ReadonlySet<string>): string[] {
  const problems: string[] = [];
  for (const [path, text] of sources) {
    if (generated.has(path)) continue;
    const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
    const limit = longest(path);
    if (lines > limit) problems.push(`${path}: ${lines} lines, more than ${limit}`);
  }
  return problems;
}

function longest(path: string): number {
  if (path.endsWith('.test.ts')) return 600;
  return path.startsWith('src/cli/commands/') ? 150 : 400;
}

/** Most files of one folder that a reader still takes in at a glance; tests beside them do not count. */
const MOST_FILES = 35;

/** Folders of `src` with more shipped files side by side than allowed. */
export function crowdedFolders(sources: Sources): string[] {
  const counts = new Map<string, number>();
  for (const path of sources.keys()) {
    if (!isShipped(path)) continue;
    const folder = posix.dirname(path);
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return [...counts]
    .filter(([, count]) => count > MOST_FILES)
    .map(([folder, count]) => `${folder}: ${count} files side by side, more than ${MOST_FILES}`);
}

/** Elementary loops found by depth-first search, one for each edge that closes one. */
export function loops(edges: readonly (readonly [string, string])[]): string[] {
  const next = new Map<string, Set<string>>();
  for (const [from, to] of edges) {
    const targets = next.get(from);
    if (targets) targets.add(to);
    else next.set(from, new Set([to]));
  }
  const found: string[] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): void => {
    const start = path.indexOf(node);
    if (start >= 0) found.push([...path.slice(start), node].join(' -> '));
    if (start >= 0 || done.has(node)) return;
    path.push(node);
    for (const target of next.get(node) ?? []) visit(target);
    path.pop();
    done.add(node);
  };
  for (const node of next.keys()) visit(node);
  return found;
}

function edgesOf(from: string, text: string): ImportEdge[] {
  const program = parsed(from, text);
  const edges: ImportEdge[] = [];
  const add = (specifier: string, typeOnly: boolean): void => {
    const relative = specifier.startsWith('.');
    const to = relative ? posix.join(posix.dirname(from), specifier) : specifier;
    edges.push({ from, to, relative, typeOnly });
  };
  new Visitor({
    ImportDeclaration: (node) => add(node.source.value, node.importKind === 'type'),
    ExportAllDeclaration: (node) => add(node.source.value, node.exportKind === 'type'),
    ExportNamedDeclaration: (node) => {
      if (node.source) add(node.source.value, node.exportKind === 'type');
    },
    ImportExpression: ({ source }) => {
      if (source.type !== 'Literal' || typeof source.value !== 'string') {
        if (!isShipped(from)) return;
        throw new Error(`${from}: a dynamic import of something other than a string`);
      }
      add(source.value, false);
    },
    TSImportType: (node) => add(node.source.value, true),
    // Worker files are named by URL.
    NewExpression: ({ callee, arguments: [first] }) => {
      if (callee.type !== 'Identifier' || callee.name !== 'URL' || first?.type !== 'Literal') return;
      if (typeof first.value === 'string' && /^\..*\.ts$/.test(first.value)) add(first.value, false);
    },
  }).visit(program);
  return edges;
}

/** `onnx` for `src/onnx/shapes/shapes.ts`; `ROOT` for `src/index.ts`. */
function folderOf(path: string): string {
  const [, first = '', ...rest] = path.split('/');
  return rest.length === 0 ? ROOT : first;
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}
