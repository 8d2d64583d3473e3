// The example in docs/bundle.md is a manifest, its variants cost what it says, and every field is explained.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../util/index.ts';
import { totalCosts } from './costs.ts';
import { parseManifest } from './parse-manifest.ts';
import { manifestSchema } from './schema.ts';

const text = readFileSync(join(import.meta.dirname, '../../docs/bundle.md'), 'utf8');
const example = /```json\n(.*?)\n```/s.exec(text)?.[1] ?? '';

describe('docs/bundle.md', () => {
  it('shows a manifest that holds together', () => {
    const manifest = parseManifest(new TextEncoder().encode(`${example}\n`), 'the example');
    expect(manifest.variants.length).toBe(2);
    for (const variant of manifest.variants)
      expect(variant).toMatchObject(withoutTimes(totalCosts(manifest, variant.levels)));
  });

  it('names every field of the schema and every code', () => {
    const prose = text.replace(example, '');
    const { groups, layers, stages, accuracy, variants, provenance } = manifestSchema.shape;
    const parts = [groups.element, layers.element, stages.element, accuracy, variants.element, provenance];
    const fields = [
      ...Object.keys(manifestSchema.shape),
      ...parts.flatMap((part) => Object.keys(part.shape)),
    ];
    const codes = ERROR_CODES.filter((code) => /^E_(BUNDLE|LEVELS)/.test(code));
    expect(
      [...fields, ...codes].filter((name) => !new RegExp(`\`[^\`]*\\b${name}\\b[^\`]*\``).test(prose)),
    ).toEqual([]);
  });
});

function withoutTimes({ seconds: _, ...rest }: ReturnType<typeof totalCosts>): object {
  return rest;
}
