// Reads contracts: the text of a model.json, or a value. The schema's library is loaded only when there is something
// to check.
import type { z } from 'zod';
import { BedsideError, messageOf } from '../../util/index.ts';
import type { InputContract } from './contract.ts';

const HINT =
  'docs/data.md explains every field, and docs/model.schema.json lets editors complete it; a file of another subject ' +
  'needs another name';

/**
 * Reads the text of a model.json. `name` is the file in messages.
 * @throws BedsideError E_CONTRACT, naming up to three fields that are wrong by their paths
 */
export async function parseContract(text: string, name: string): Promise<InputContract> {
  return checkContract(jsonOf(text, name), name);
}

/**
 * Whether JSON has any field of a contract: a file of another subject may bear the same name.
 * @throws BedsideError E_CONTRACT when it is not JSON
 */
export async function looksLikeContract(text: string, name: string): Promise<boolean> {
  const value = jsonOf(text, name);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { CONTRACT_SCHEMA } = await import('./schema.ts');
  return Object.keys(value).some((key) => key in CONTRACT_SCHEMA.shape);
}

/**
 * Checks a value that should be a contract.
 * @throws BedsideError E_CONTRACT
 */
export async function checkContract(value: unknown, name: string): Promise<InputContract> {
  const { CONTRACT_SCHEMA } = await import('./schema.ts');
  const result = CONTRACT_SCHEMA.safeParse(value, { reportInput: true });
  if (!result.success) {
    const { issues } = result.error;
    const lines = issues.slice(0, 3).map(tellIssue);
    const more = issues.length > 3 ? `; and ${issues.length - 3} more` : '';
    throw new BedsideError('E_CONTRACT', `${name}: ${lines.join('; ')}${more}`, { hint: HINT });
  }
  const { $schema: _, ...contract } = result.data;
  assertConsistent(contract, name);
  return contract;
}

/** The format of model.json, for documents and editors. */
export async function contractSchema(): Promise<z.ZodType> {
  return (await import('./schema.ts')).CONTRACT_SCHEMA;
}

function jsonOf(text: string, name: string): unknown {
  try {
    // Editors of Windows put a mark before UTF-8.
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw new BedsideError('E_CONTRACT', `${name} is not JSON: ${messageOf(cause)}`, { hint: HINT, cause });
  }
}

/** Rules that no schema says. */
function assertConsistent({ classes, classMap }: InputContract, name: string): void {
  const refuse = (message: string) => new BedsideError('E_CONTRACT', `${name}: ${message}`, { hint: HINT });
  if (classes) assertDistinct(classes, (message) => refuse(`classes: ${message}`));
  for (const [label, output] of Object.entries(classMap ?? {})) {
    const unknown = typeof output === 'string' ? classes && !classes.includes(output) : false;
    if (unknown)
      throw refuse(`classMap.${label} is "${output}": not one of the classes ${classes?.join(', ')}`);
  }
}

function assertDistinct(names: readonly string[], refusal: (message: string) => BedsideError): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw refusal(`two classes are called '${twice}'`);
}

/** `image.mean[1] is "a": expected a number from ...` */
function tellIssue(issue: z.core.$ZodIssue): string {
  const path = issue.path
    .map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i === 0 ? '' : '.'}${String(key)}`))
    .join('');
  const where = path || 'the file';
  if (issue.code === 'unrecognized_keys') {
    return `${where}: unknown field ${issue.keys.map((key) => `'${key}'`).join(', ')}`;
  }
  const { input } = issue;
  const expected = issue.message.replace(/^Invalid input: /, '').replace(/, received .*$/, '');
  if (input === undefined) return `${where} is missing: ${expected}`;
  return `${where}${typeof input === 'object' ? '' : ` is ${JSON.stringify(input)}`}: ${expected}`;
}
