// The JSON Schemas in the documentation are those of the formats that are read.
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SCHEMAS, schemaText } from './plan-schemas.ts';

describe.each(SCHEMAS.map((entry) => ({ ...entry, name: basename(entry.path) })))('docs/$name', (entry) => {
  it('is current: else run npm run docs:schemas', async () => {
    expect(await readFile(entry.path, 'utf8')).toBe(schemaText(entry.schema));
  });

  it('states ranges and refuses unknown fields', () => {
    const schema = JSON.parse(schemaText(entry.schema));
    expect(schema.additionalProperties).toBe(false);
    expect(JSON.stringify(schema)).toMatch(/"minimum":.*"maximum":/);
  });
});
