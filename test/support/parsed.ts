// Sources as syntax trees, each parsed once: several rules look at all of them.
import { type ParseResult, parseSync } from 'oxc-parser';

const trees = new Map<string, ParseResult['program']>();

/** The syntax tree of a file's text. @throws Error for text that is not TypeScript */
export function parsed(path: string, text: string): ParseResult['program'] {
  const key = `${path}\0${text}`;
  let tree = trees.get(key);
  if (!tree) {
    const { program, errors } = parseSync(path, text);
    if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
    tree = program;
    trees.set(key, tree);
  }
  return tree;
}
