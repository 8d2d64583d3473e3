// The header line of a `.npy` file: a Python dict literal with exactly three keys, read by a small strict parser.
import { BedsideError } from '../../util/index.ts';

export interface NpyHeader {
  readonly descr: string;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
}

type Value = string | boolean | readonly number[];

// NumPy itself writes well below this, and refuses to read more than 10,000 characters.
export const MAX_HEADER_LENGTH = 65536;
const MAX_AXES = 64;

/**
 * Parses `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, keys in any order.
 * @throws BedsideError E_DATA
 */
export function parseNpyHeader(text: string, name: string): NpyHeader {
  if (text.length > MAX_HEADER_LENGTH) throw wrong(name, `it is ${text.length} characters long`);
  // A list of fields: what numpy calls a structured array.
  if (/['"]descr['"]\s*:\s*\[/.test(text)) {
    throw wrong(name, "'descr' is a list of fields: a structured array, where plain numbers are needed");
  }
  const tokens = tokenize(text, name);
  let at = 0;
  const take = (expected: string): void => {
    if (tokens[at] !== expected) throw wrong(name, `expected '${expected}' at item ${at + 1}`);
    at++;
  };
  const fields = new Map<string, Value>();
  take('{');
  while (tokens[at] !== '}') {
    const key = stringOf(tokens[at++]);
    if (key === undefined) throw wrong(name, `expected a quoted key at item ${at}`);
    if (fields.has(key)) throw wrong(name, `'${key}' stands there twice`);
    take(':');
    const parsed = parseValue(tokens, at, name);
    fields.set(key, parsed.value);
    at = parsed.next;
    if (tokens[at] !== '}') take(',');
  }
  take('}');
  if (at !== tokens.length) throw wrong(name, 'there is text after the closing brace');

  const descr = fields.get('descr');
  const fortranOrder = fields.get('fortran_order');
  const shape = fields.get('shape');
  if (fields.size !== 3)
    throw wrong(name, `expected the keys descr, fortran_order and shape, got ${fields.size} keys`);
  if (typeof descr !== 'string') throw wrong(name, "'descr' is not a plain type");
  if (typeof fortranOrder !== 'boolean') throw wrong(name, "'fortran_order' is not True or False");
  if (typeof shape !== 'object') throw wrong(name, "'shape' is not a tuple of integers");
  return { descr, fortranOrder, shape };
}

function tokenize(text: string, name: string): string[] {
  // The L is a Python 2 long integer, as old files have it.
  const pattern = /\s*(?:('[^'\\]*'|"[^"\\]*"|True\b|False\b|\d{1,15}L?\b|[{}():,])|(\S))/g;
  const tokens: string[] = [];
  for (const match of text.matchAll(pattern)) {
    if (match[1] === undefined) throw wrong(name, `unexpected text at character ${match.index + 1}`);
    tokens.push(match[1]);
  }
  return tokens;
}

function stringOf(token: string | undefined): string | undefined {
  return token !== undefined && /^['"]/.test(token) ? token.slice(1, -1) : undefined;
}

function parseValue(tokens: readonly string[], start: number, name: string): { value: Value; next: number } {
  const first = tokens[start];
  if (first === 'True' || first === 'False') return { value: first === 'True', next: start + 1 };
  const text = stringOf(first);
  if (text !== undefined) return { value: text, next: start + 1 };
  if (first !== '(') throw wrong(name, `expected a string, a truth value or a tuple at item ${start + 1}`);
  const shape: number[] = [];
  let at = start + 1;
  let commas = 0;
  while (tokens[at] !== ')') {
    const axis = tokens[at++];
    if (axis === undefined || !/^\d/.test(axis)) throw wrong(name, "'shape' is not a tuple of integers");
    shape.push(Number(axis.replace('L', '')));
    if (shape.length > MAX_AXES) throw wrong(name, `'shape' has more than ${MAX_AXES} axes`);
    if (tokens[at] === ',') {
      at++;
      commas++;
    } else if (tokens[at] !== ')') {
      throw wrong(name, "'shape' is not a tuple of integers");
    }
  }
  // (5) is a number in Python, not a tuple.
  if (shape.length === 1 && commas === 0) throw wrong(name, "'shape' is not a tuple of integers");
  return { value: shape, next: at + 1 };
}

function wrong(name: string, what: string): BedsideError {
  return new BedsideError('E_DATA', `cannot read array ${name}: wrong header: ${what}`, {
    hint: 'write the array again with numpy.save or numpy.savez, as a plain numeric array',
  });
}
