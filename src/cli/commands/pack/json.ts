// What `pack` wrote, for programs.
import type { PackResult } from '../../../app/index.ts';

/** The fields of `--json`. */
export function packedJson({ manifest: _, ...fields }: PackResult): object {
  return fields;
}
