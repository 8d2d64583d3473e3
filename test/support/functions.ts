// Finds functions that take too many parameters or have too long a body.
import { posix } from 'node:path';
import { type Node, Visitor } from 'oxc-parser';
import { parsed } from './parsed.ts';
import type { Sources } from './structure.ts';

const MAX_PARAMETERS = 6;
const MAX_BODY_LINES = 80;

/** One function that is too large. */
export interface LargeFunction {
  /** The file's name and the function's: `solve.ts solve`. */
  readonly key: string;
  readonly problem: string;
}

/**
 * Functions with more than 6 parameters or more than 80 lines between their braces. A function without a name bears that of
 * the variable, property or function that it belongs to.
 */
export function largeFunctions(sources: Sources, generated: ReadonlySet<string>): LargeFunction[] {
  return [...sources]
    .filter(([path]) => !generated.has(path) && !isSuite(path))
    .flatMap(([path, text]) => inFile(path, text));
}

/** Whether a file is a list of tests: these are one long function by design. */
function isSuite(path: string): boolean {
  return /\.test\.ts$/.test(path) || (path.includes('/test-support/') && path.endsWith('-suite.ts'));
}

function inFile(path: string, text: string): LargeFunction[] {
  const found: LargeFunction[] = [];
  const names: string[] = [];
  const enter = (name: string | undefined): void => {
    names.push(name ?? names.at(-1) ?? '(file)');
  };
  const leave = (): void => {
    names.pop();
  };
  const measure = (node: { params: readonly unknown[]; body: Node | null; start: number }): void => {
    if (!node.body) return;
    const { start, end } = node.body;
    const lines = node.body.type === 'BlockStatement' ? linesOf(text, start, end) - 1 : 0;
    if (node.params.length <= MAX_PARAMETERS && lines <= MAX_BODY_LINES) return;
    const name = names.at(-1) ?? '(file)';
    const where = `${path}:${linesOf(text, 0, node.start) + 1}: ${name}`;
    const key = `${posix.basename(path)} ${name}`;
    if (node.params.length > MAX_PARAMETERS) {
      found.push({
        key,
        problem: `${where} takes ${node.params.length} parameters, more than ${MAX_PARAMETERS}`,
      });
    }
    if (lines > MAX_BODY_LINES) {
      found.push({ key, problem: `${where} has a body of ${lines} lines, more than ${MAX_BODY_LINES}` });
    }
  };
  new Visitor({
    FunctionDeclaration(node) {
      enter(node.id?.name);
      measure(node);
    },
    'FunctionDeclaration:exit': leave,
    FunctionExpression: measure,
    ArrowFunctionExpression: measure,
    ClassDeclaration: (node) => enter(node.id?.name),
    'ClassDeclaration:exit': leave,
    MethodDefinition: (node) => enter(keyName(node.key)),
    'MethodDefinition:exit': leave,
    PropertyDefinition: (node) => enter(keyName(node.key)),
    'PropertyDefinition:exit': leave,
    Property: (node) => enter(keyName(node.key)),
    'Property:exit': leave,
    VariableDeclarator: (node) => enter(node.id.type === 'Identifier' ? node.id.name : undefined),
    'VariableDeclarator:exit': leave,
  }).visit(parsed(path, text));
  return found;
}

/** Line breaks between two places of a text. */
function linesOf(text: string, from: number, to: number): number {
  let count = 0;
  for (let at = text.indexOf('\n', from); at >= 0 && at < to; at = text.indexOf('\n', at + 1)) count++;
  return count;
}

function keyName(key: Node): string | undefined {
  if (key.type === 'Identifier') return key.name;
  if (key.type === 'PrivateIdentifier') return `#${key.name}`;
  return undefined;
}
