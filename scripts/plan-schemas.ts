// Writes the formats of fleets, requests and contracts as JSON Schema, for editors and other languages.
// Command: npm run docs:schemas
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { contractSchema } from '../src/data/internal.ts';
import { FLEET_SCHEMA, REQUEST_SCHEMA } from '../src/plan/internal.ts';

/** What is written where. */
export const SCHEMAS: readonly { readonly path: string; readonly schema: z.ZodType }[] = [
  { path: fileURLToPath(new URL('../docs/fleet.schema.json', import.meta.url)), schema: FLEET_SCHEMA },
  { path: fileURLToPath(new URL('../docs/request.schema.json', import.meta.url)), schema: REQUEST_SCHEMA },
  {
    path: fileURLToPath(new URL('../docs/model.schema.json', import.meta.url)),
    schema: await contractSchema(),
  },
];

/** A format as the text of its file: what may be written, so fields with a default are optional. */
export function schemaText(schema: z.ZodType): string {
  return `${JSON.stringify(z.toJSONSchema(schema, { io: 'input' }), null, 2)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { path, schema } of SCHEMAS) await writeFile(path, schemaText(schema));
}
