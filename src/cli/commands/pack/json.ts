// What `pack` wrote, for programs.
import type { PackResult } from '../../../app/bundle/pack.ts';

/** Steps by their earlier names, which stay in `seconds` beside the new ones. */
const EARLIER_STEPS: Readonly<Record<string, string>> = {
  'measuring level vectors': 'measuring mixes of levels',
};

/** The fields of `--json`. */
export function packedJson({ manifest: _, ...fields }: PackResult): object {
  const seconds = Object.entries(fields.seconds).flatMap(([step, time]) => {
    const earlier = EARLIER_STEPS[step];
    return earlier === undefined
      ? [[step, time]]
      : [
          [step, time],
          [earlier, time],
        ];
  });
  return { ...fields, seconds: Object.fromEntries(seconds) };
}
