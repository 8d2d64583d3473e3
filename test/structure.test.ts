// Holds the layout: which folder may import which, no loops, one door per folder, one engine, files of a readable size.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { LARGE_FUNCTIONS, PAST_DOORS } from './support/exceptions.ts';
import { FOLDERS, ROOT } from './support/folders.ts';
import { largeFunctions } from './support/functions.ts';
import {
  commandLineNames,
  crowdedFolders,
  danglingImports,
  engineNames,
  fileLoops,
  folderLoops,
  folderViolations,
  importEdges,
  longFiles,
  loops,
  outsideEdges,
  pastDoors,
  type Sources,
  undeclaredPackages,
} from './support/structure.ts';

const root = new URL('../', import.meta.url);

/** Written by a compiler: no file of these is held to a size, and no door leads to them. */
const GENERATED: ReadonlySet<string> = new Set(['src/onnx/codec/onnx_pb.ts']);

describe('the sources', () => {
  const sources = readSources(['src', 'test', 'scripts', 'bench', 'examples']);
  const edges = importEdges(sources);

  it('are found', () => {
    expect(edges.some(({ from, to }) => from.startsWith('src/explain/') && to === 'src/onnx/index.ts')).toBe(
      true,
    );
  });

  it('import only what the folder table lists, through index.ts', () => {
    expect(folderViolations(edges, FOLDERS)).toEqual([]);
  });

  it('import nothing that is missing', () => {
    expect(danglingImports(edges, sources)).toEqual([]);
  });

  it('have no loop between folders', () => {
    expect(folderLoops(edges)).toEqual([]);
  });

  it('have no loop between files', () => {
    expect(fileLoops(edges)).toEqual([]);
  });

  it('name ONNX Runtime in src/engine only', () => {
    expect(engineNames(sources)).toEqual([]);
  });

  it('know of the command line in src/cli only', () => {
    expect(commandLineNames(sources)).toEqual([]);
  });

  it('import only packages that are installed with this one', () => {
    const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
      dependencies: Record<string, string>;
      optionalDependencies: Record<string, string>;
      devDependencies: Record<string, string>;
    };
    const installed = { ...manifest.dependencies, ...manifest.optionalDependencies };
    const typed = Object.keys(manifest.devDependencies)
      .filter((name) => name.startsWith('@types/'))
      .map((name) => name.slice('@types/'.length));
    expect(undeclaredPackages(edges, new Set(Object.keys(installed)), new Set(typed))).toEqual([]);
  });

  it('are not too long', () => {
    expect(longFiles(sources, GENERATED)).toEqual([]);
  });

  it('are not too many in one folder', () => {
    expect(crowdedFolders(sources)).toEqual([]);
  });

  it('have no function with more than 6 parameters or a body of more than 80 lines', () => {
    const large = largeFunctions(sources, GENERATED);
    expect(large.filter(({ key }) => !LARGE_FUNCTIONS.has(key)).map(({ problem }) => problem)).toEqual([]);
    const keys = new Set(large.map(({ key }) => key));
    const shrunk = [...LARGE_FUNCTIONS].filter((key) => !keys.has(key));
    expect(shrunk, 'remove these from test/support/exceptions.ts').toEqual([]);
  });

  it('are imported through doors by tests, benchmarks, scripts and examples too', () => {
    const past = pastDoors(outsideEdges(sources), GENERATED);
    const unknown = past.filter(({ from }) => !PAST_DOORS.has(from));
    expect(unknown.map(({ from, to }) => `${from}: imports ${to}, not a door of its folder`)).toEqual([]);
    const files = new Set(past.map(({ from }) => from));
    const shrunk = [...PAST_DOORS].filter((from) => !files.has(from));
    expect(shrunk, 'remove these from test/support/exceptions.ts').toEqual([]);
  });
});

describe('the folder table', () => {
  it('lists known folders only', () => {
    const named = Object.values(FOLDERS).flatMap(({ imports, types = [] }) => [...imports, ...types]);
    expect(named.filter((folder) => !(folder in FOLDERS) || folder === ROOT)).toEqual([]);
  });

  it('has no loop', () => {
    const edges = Object.entries(FOLDERS).flatMap(([from, { imports, types = [] }]) =>
      [...imports, ...types].map((to): [string, string] => [from, to]),
    );
    expect(loops(edges)).toEqual([]);
  });
});

describe('the scanner', () => {
  const scan = (files: Readonly<Record<string, string>>) => importEdges(new Map(Object.entries(files)));

  it.each([
    ['a value import', `import { a } from '../onnx/index.ts';`],
    ['a type import', `import type { A } from '../onnx/index.ts';`],
    ['an import for its effects', `import '../onnx/index.ts';`],
    ['a re-export', `export { a } from '../onnx/index.ts';`],
    ['a re-export of everything', `export * from '../onnx/index.ts';`],
    ['a re-export of types', `export type { A } from '../onnx/index.ts';`],
    ['an import inside a type', `export let a: import('../onnx/index.ts').A;`],
    ['a dynamic import', `await import('../onnx/index.ts');`],
    ['a worker file', `new Worker(new URL('../onnx/index.ts', import.meta.url));`],
  ])('refuses an unlisted edge: %s', (_, text) => {
    expect(folderViolations(scan({ 'src/util/bad.ts': text }), FOLDERS)).toEqual([
      "src/util/bad.ts: 'util' may not import 'onnx' (src/onnx/index.ts)",
    ]);
  });

  it('reads no imports in comments and strings', () => {
    const text = `// import { a } from '../onnx/index.ts';\nexport const s = "import '../onnx/index.ts'";`;
    expect(scan({ 'src/util/good.ts': text })).toEqual([]);
  });

  it('lets a types edge carry types alone', () => {
    const edge = (text: string) => folderViolations(scan({ 'src/explain/x.ts': text }), FOLDERS);
    expect(edge(`import type { A } from '../data/index.ts';`)).toEqual([]);
    const refusal = ["src/explain/x.ts: 'explain' may import only types of 'data', with `import type`"];
    expect(edge(`import { a } from '../data/index.ts';`)).toEqual(refusal);
    expect(edge(`import { type A } from '../data/index.ts';`)).toEqual(refusal);
  });

  it('refuses to pass by index.ts', () => {
    const edges = scan({ 'src/onnx/x.ts': `import { a } from '../util/errors.ts';` });
    expect(folderViolations(edges, FOLDERS)).toEqual([
      'src/onnx/x.ts: imports src/util/errors.ts, not src/util/index.ts or src/util/internal.ts',
    ]);
  });

  it('lets sibling folders through internal.ts, and neither the command line nor the root', () => {
    const text = `import { a } from '../util/internal.ts';`;
    expect(folderViolations(scan({ 'src/onnx/x.ts': text }), FOLDERS)).toEqual([]);
    const useCase = `import { a } from '../app/prune.ts';`;
    expect(folderViolations(scan({ 'src/cli/x.ts': useCase }), FOLDERS)).toEqual([]);
    expect(folderViolations(scan({ 'src/cli/x.ts': text }), FOLDERS)).toEqual([
      'src/cli/x.ts: imports src/util/internal.ts, not src/util/index.ts',
    ]);
  });

  it('lets folders inside a folder import each other', () => {
    const edges = scan({ 'src/explain/criteria/x.ts': `import { a } from '../pass.ts';` });
    expect(folderViolations(edges, FOLDERS)).toEqual([]);
  });

  it('refuses what is outside src, and folders without a rule', () => {
    const edges = scan({ 'src/misc/x.ts': `import { a } from '../../scripts/a.ts';` });
    expect(folderViolations(edges, FOLDERS)).toEqual([
      "src/misc/x.ts: folder 'misc' has no rule",
      'src/misc/x.ts: imports scripts/a.ts, which is outside src/',
    ]);
  });

  it('leaves tests and their support alone', () => {
    const text = `import { a } from '../onnx/index.ts';`;
    expect(scan({ 'src/util/x.test.ts': text, 'src/util/test-support/x.ts': text })).toEqual([]);
  });

  it('finds what passes by doors from outside', () => {
    const text = `import '../onnx/order.ts'; import '../onnx/index.ts'; import '../onnx/internal.ts';
import '../onnx/test-support/x.ts'; import './own.ts'; import '../onnx/generated.ts'; import '../index.ts';`;
    const files = new Map([
      ['src/a/x.test.ts', text],
      ['src/a/x.ts', `import '../onnx/order.ts';`],
    ]);
    const past = pastDoors(outsideEdges(files), new Set(['src/onnx/generated.ts']));
    expect(past.map(({ from, to }) => `${from} ${to}`)).toEqual(['src/a/x.test.ts src/onnx/order.ts']);
  });

  it('finds use cases that know of the command line', () => {
    const text = `import 'commander'; import { a } from '../../cli/x.ts'; process.exitCode = 1; console.log(process.env);`;
    const sources: Sources = new Map([
      ['src/app/run/x.ts', text],
      ['src/cli/x.ts', text],
    ]);
    expect(commandLineNames(sources)).toEqual([
      'src/app/run/x.ts: imports commander',
      'src/app/run/x.ts: imports src/cli/x.ts',
      'src/app/run/x.ts: names process.exitCode',
      'src/app/run/x.ts: prints by console.log',
    ]);
  });

  it('finds loops between folders, through other files and types', () => {
    const edges = scan({
      'src/a/index.ts': `export { x } from './x.ts';`,
      'src/a/x.ts': `import { y } from '../b/index.ts';`,
      'src/b/index.ts': `export { y } from './y.ts';`,
      'src/b/y.ts': `import { z } from '../c/index.ts';`,
      'src/c/index.ts': `import type { X } from '../a/index.ts';`,
    });
    expect(folderLoops(edges)).toEqual(['a -> b -> c -> a']);
  });

  it('finds loops between files, a file that imports itself included', () => {
    const edges = scan({
      'src/a/x.ts': `import { y } from './y.ts';`,
      'src/a/y.ts': `import type { X } from './x.ts';`,
      'src/a/z.ts': `import { z } from './z.ts';`,
    });
    expect(fileLoops(edges)).toEqual(['src/a/x.ts -> src/a/y.ts -> src/a/x.ts', 'src/a/z.ts -> src/a/z.ts']);
    expect(
      fileLoops(
        scan({ 'src/a/x.ts': `import './y.ts';`, 'src/a/y.ts': '', 'src/a/z.ts': `import './y.ts';` }),
      ),
    ).toEqual([]);
  });

  it('finds missing files, foreign engines, undeclared packages and long files', () => {
    const sources: Sources = new Map([
      [
        'src/a/x.ts',
        `import './gone.ts'; import * as ort from 'onnxruntime-node'; import '@scope/p/sub'; import 'node:fs';`,
      ],
      ['src/engine/x.ts', `import * as ort from 'onnxruntime-node';`],
      ['src/a/long.ts', 'x;\n'.repeat(401)],
      ['src/a/generated.ts', 'x;\n'.repeat(401)],
      ['src/a/fits.test.ts', 'x;\n'.repeat(600)],
      ['src/a/long.test.ts', 'x;\n'.repeat(601)],
      ['src/cli/commands/a/command.ts', 'x;\n'.repeat(151)],
    ]);
    const edges = importEdges(sources);
    expect(danglingImports(edges, sources)).toEqual([
      'src/a/x.ts: imports src/a/gone.ts, which does not exist',
    ]);
    expect(engineNames(sources)).toEqual(['src/a/x.ts: names onnxruntime-*, which only src/engine may']);
    expect(undeclaredPackages(edges, new Set(['onnxruntime-node']))).toEqual([
      'src/a/x.ts: imports @scope/p/sub, which package.json does not list in dependencies',
    ]);
    const types = importEdges(
      new Map([['src/a/x.ts', `import type { A } from 'p/sub'; import { b } from 'p';`]]),
    );
    expect(undeclaredPackages(types, new Set(), new Set(['p']))).toEqual([
      'src/a/x.ts: imports p, which package.json does not list in dependencies',
    ]);
    expect(longFiles(sources, new Set(['src/a/generated.ts']))).toEqual([
      'src/a/long.ts: 401 lines, more than 400',
      'src/a/long.test.ts: 601 lines, more than 600',
      'src/cli/commands/a/command.ts: 151 lines, more than 150',
    ]);
  });
});

describe('the count of files', () => {
  it('names folders that hold too many side by side, tests left out', () => {
    const files = Array.from({ length: 36 }, (_, i): [string, string] => [`src/a/f${i}.ts`, '']);
    const tests = files.map(([path]): [string, string] => [path.replace('.ts', '.test.ts'), '']);
    expect(crowdedFolders(new Map([...files.slice(1), ...tests]))).toEqual([]);
    expect(crowdedFolders(new Map(files))).toEqual(['src/a: 36 files side by side, more than 35']);
  });
});

describe('the measure of functions', () => {
  const keys = (text: string) => largeFunctions(new Map([['src/a/x.ts', text]]), new Set());

  it('names functions, methods and what is kept in variables', () => {
    const seven = '(a, b, c, d, e, f, g)';
    const text = `function one${seven} {} const two = ${seven} => 1; class C { #three${seven} {} } const o = { four${seven} {} };`;
    expect(keys(text).map(({ key }) => key)).toEqual(
      ['one', 'two', '#three', 'four'].map((n) => `x.ts ${n}`),
    );
    expect(keys(text)[0]?.problem).toBe('src/a/x.ts:1: one takes 7 parameters, more than 6');
    expect(keys('function six(a, b, c, d, e, f) {}')).toEqual([]);
  });

  it('counts the lines between the braces', () => {
    const body = (lines: number) => `function f() {\n${'x;\n'.repeat(lines)}}`;
    expect(keys(body(80))).toEqual([]);
    expect(keys(body(81)).map(({ problem }) => problem)).toEqual([
      'src/a/x.ts:1: f has a body of 81 lines, more than 80',
    ]);
  });

  it('leaves lists of tests and generated files alone', () => {
    const text = `function f() {\n${'x;\n'.repeat(100)}}`;
    const sources = new Map(
      ['src/a/x.test.ts', 'src/a/test-support/x-suite.ts', 'src/a/y.ts'].map((p) => [p, text]),
    );
    expect(largeFunctions(sources, new Set(['src/a/y.ts']))).toEqual([]);
  });
});

function readSources(folders: readonly string[]): Sources {
  const sources = new Map<string, string>();
  for (const folder of folders.filter((name) => existsSync(new URL(name, root)))) {
    for (const entry of readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })) {
      const path = `${folder}/${entry.replaceAll('\\', '/')}`;
      if (path.endsWith('.ts')) sources.set(path, readFileSync(new URL(path, root), 'utf8'));
    }
  }
  return sources;
}
