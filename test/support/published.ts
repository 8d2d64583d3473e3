// The names that the package publishes, read from the doors that package.json exports.
import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { parseSync } from 'oxc-parser';

const root = new URL('../../', import.meta.url);

/** Subpaths of package.json that are code, each with the source of its door: `bedside/onnx` and `src/onnx/index.ts`. */
export function publicDoors(): ReadonlyMap<string, string> {
  const { exports } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
    exports: Readonly<Record<string, string | { readonly types: string }>>;
  };
  return new Map(
    Object.entries(exports).flatMap(([subpath, target]) =>
      typeof target === 'string'
        ? []
        : [[`bedside${subpath.slice(1)}`, target.types.replace('./dist/', 'src/').replace('.d.ts', '.ts')]],
    ),
  );
}

/** All names that a file exports, types among them, in alphabetical order. */
export function exportedNames(path: string): string[] {
  const { program } = parseSync(path, readFileSync(new URL(path, root), 'utf8'));
  const names = program.body.flatMap((node): readonly string[] => {
    if (node.type === 'ExportAllDeclaration') {
      if (node.exported) return [nameOf(node.exported)];
      return exportedNames(posix.join(posix.dirname(path), node.source.value));
    }
    if (node.type !== 'ExportNamedDeclaration') return [];
    if (node.declaration) return declared(node.declaration);
    return node.specifiers.map(({ exported }) => nameOf(exported));
  });
  return [...new Set(names)].sort();
}

function nameOf(name: { readonly type: string; readonly name?: string; readonly value?: string }): string {
  return name.name ?? name.value ?? '';
}

interface Declaration {
  readonly type: string;
  readonly id?: unknown;
  readonly declarations?: readonly { readonly id: unknown }[];
}

function declared(declaration: Declaration): string[] {
  const ids = declaration.declarations?.map(({ id }) => id) ?? [declaration.id];
  return ids.map((id) => (id as { name: string }).name);
}
