// The error for values of unknown shape.
import { BedsideError } from '../../util/index.ts';

/** The error where a shape is needed but unknown: E_UNSUPPORTED, naming the value. */
export function shapeUnknown(value: string): BedsideError {
  return new BedsideError(
    'E_UNSUPPORTED',
    `the shape of '${value}' is unknown, so nothing can be explained through it`,
    {
      hint: 'export the model with shapes that follow from its input; a criterion of weights alone, such as l1, needs none',
    },
  );
}
