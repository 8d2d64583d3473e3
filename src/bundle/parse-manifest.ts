// Turns the bytes of a bundle.json into a checked manifest.
import type { z } from 'zod';
import { BedsideError, messageOf } from '../util/index.ts';
import { contradiction } from './consistency.ts';
import { BUNDLE_VERSION, type BundleManifest } from './manifest.ts';
import { manifestSchema } from './schema.ts';
import { assertSealed } from './seal.ts';

/**
 * Reads a manifest. The version is checked first, so that nothing else of a newer bundle is judged.
 * @param path name of the file in messages
 * @throws BedsideError E_BUNDLE for anything that is not a manifest, or one that contradicts itself: the field, its
 * value and the allowed values; E_BUNDLE_VERSION for a newer version; E_BUNDLE_HASH when a byte has changed since it
 * was written
 */
export function parseManifest(bytes: Uint8Array, path: string): BundleManifest {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new BedsideError('E_BUNDLE', `${path} is not a bundle's manifest: ${messageOf(cause)}`, {
      hint: 'name the folder that `bedside pack` wrote; copy it again if it was damaged',
      cause,
    });
  }
  const { format, version } = (value ?? {}) as { format?: unknown; version?: unknown };
  if (format !== 'bedside-bundle') {
    throw new BedsideError(
      'E_BUNDLE',
      `${path} is not a bundle's manifest: format is ${shown(format)}, expected "bedside-bundle"`,
      { hint: 'name the folder that `bedside pack` wrote' },
    );
  }
  if (typeof version === 'number' && version > BUNDLE_VERSION) {
    throw new BedsideError(
      'E_BUNDLE_VERSION',
      `${path} is of version ${version}; this bedside reads versions up to ${BUNDLE_VERSION}`,
      { hint: 'update bedside, or pack the model again with this one' },
    );
  }
  assertSealed(bytes, value as object, path);
  return checkManifest(value, path);
}

/**
 * Checks a value that should be a manifest, field by field and then as a whole.
 * @throws BedsideError E_BUNDLE
 */
export function checkManifest(value: unknown, path: string): BundleManifest {
  const parsed = manifestSchema.safeParse(value);
  if (!parsed.success) throw malformed(path, value, parsed.error.issues);
  const found = contradiction(parsed.data);
  if (found) throw refused(path, found);
  return parsed.data;
}

function malformed(path: string, value: unknown, issues: readonly z.core.$ZodIssue[]): BedsideError {
  const lines = issues.slice(0, 3).map(({ path: keys, message }) => {
    const expected = message
      .replace(/^Invalid input: /, '')
      .replace(/, received .*$/, '')
      .replace(/^[A-Z]/, (letter) => letter.toLowerCase());
    return `${fieldName(keys)} is ${shown(lookUp(value, keys))}: ${expected}`;
  });
  const more = issues.length - lines.length;
  return refused(path, lines.join('; ') + (more > 0 ? `; ${more} more` : ''));
}

function refused(path: string, what: string): BedsideError {
  return new BedsideError('E_BUNDLE', `${path}: ${what}`, {
    hint: 'copy the bundle again, or pack the model again',
  });
}

/** `layers[3].inputs[0].group` */
function fieldName(keys: readonly PropertyKey[]): string {
  return keys.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}

function lookUp(value: unknown, keys: readonly PropertyKey[]): unknown {
  return keys.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], value);
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
