// An explained sample for tests, to be varied.
import type { ExplainedSample } from '../explained.ts';

/** A 2 x 2 image of class `b` of three, all of whose relevance is zero unless given. */
export function explained(more: Partial<ExplainedSample> = {}): ExplainedSample {
  return {
    index: 7,
    origin: undefined,
    shape: [1, 2, 2],
    sample: Float32Array.of(0, 0.25, 0.5, 1),
    relevance: new Float32Array(4),
    target: 1,
    label: 1,
    probabilities: [0.02, 0.972, 0.008],
    classNames: ['a', 'b', 'c'],
    beat: undefined,
    criterion: {
      name: 'lrp-gamma',
      summary: 'relevance, gamma rule',
      source: 'Montavon et al., 2019',
      meaning: 'contribution',
    },
    ...more,
  };
}
