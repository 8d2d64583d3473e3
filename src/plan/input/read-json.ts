// Reading what people write by hand: JSON checked by a schema, and failures that name the field, what was given and
// what is allowed.
import { z } from 'zod';
import { BedsideError, type ErrorCode, messageOf } from '../../util/index.ts';
import { isRecord } from '../../util/internal.ts';

/** The error of a failure. */
export interface ReadWhat {
  readonly code: ErrorCode;
  /** As the user knows it, such as `fleet ward.json`. */
  readonly name: string;
  readonly hint: string;
}

/** A number in a range, with its unit; every message states the whole range, and `or` before it. */
export function bounded(low: number, high: number, unit: string, or = ''): z.ZodNumber {
  const error = `expected ${or}a number from ${tell(low)} to ${tell(high)}${unit === '' ? '' : `, in ${unit}`}`;
  return z.number({ error }).min(low, { error }).max(high, { error });
}

/** A name of a device, a stage or the like. */
export function label(): z.ZodString {
  const error = 'expected a name of 1 to 64 characters';
  return z.string({ error }).min(1, { error }).max(64, { error });
}

/**
 * Text as JSON, checked by a schema.
 * @throws BedsideError of `what.code`, naming up to three fields that are wrong
 */
export function readJson<T extends z.ZodType>(schema: T, text: string, what: ReadWhat): z.output<T> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new BedsideError(what.code, `${what.name} is not JSON: ${messageOf(cause)}`, {
      hint: what.hint,
      cause,
    });
  }
  return checkJson(schema, value, what);
}

/**
 * A value checked by a schema.
 * @throws BedsideError as `readJson`
 */
export function checkJson<T extends z.ZodType>(schema: T, value: unknown, what: ReadWhat): z.output<T> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  const lines = result.error.issues.slice(0, 3).map((issue) => tellIssue(issue, value));
  const more = result.error.issues.length - lines.length;
  throw new BedsideError(
    what.code,
    `${what.name}: ${lines.join('; ')}${more > 0 ? `; and ${more} more` : ''}`,
    { hint: what.hint },
  );
}

function tellIssue(issue: z.core.$ZodIssue, root: unknown): string {
  const path = tellPath(issue.path, root);
  if (issue.code === 'unrecognized_keys') {
    return `${path || 'the file'}: unknown field ${issue.keys.map((key) => `'${key}'`).join(', ')}`;
  }
  const { input } = issue;
  if (input === undefined && issue.code === 'invalid_type') {
    return `${path} is missing: ${expected(issue.message)}`;
  }
  const given = input === undefined || typeof input === 'object' ? '' : ` is ${JSON.stringify(input)}`;
  return `${path || 'the file'}${given}: ${expected(issue.message)}`;
}

/** The expected type, from the library's message. The given value is already in the error. */
function expected(message: string): string {
  return message.replace(/^Invalid input: /, '').replace(/, received .*$/, '');
}

/** `devices[2].memory (tablet-2)`: the name of the entry helps where indices do not. */
function tellPath(path: readonly PropertyKey[], root: unknown): string {
  let text = '';
  let named = '';
  let at = root;
  for (const key of path) {
    text += typeof key === 'number' ? `[${key}]` : `${text === '' ? '' : '.'}${String(key)}`;
    at = typeof at === 'object' && at !== null ? at[key as keyof typeof at] : undefined;
    if (isRecord(at) && typeof at.name === 'string' && at.name !== '') named = at.name;
  }
  return named === '' ? text : `${text} (${named})`;
}

/** Large and small bounds in exponential form. */
function tell(value: number): string {
  const size = Math.abs(value);
  return size !== 0 && (size >= 1e6 || size < 1e-3)
    ? value.toExponential().replace('e+', 'e')
    : String(value);
}
