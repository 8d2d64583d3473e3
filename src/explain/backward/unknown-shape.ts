// Values whose shapes nothing says.
import { BedsideError } from '../../util/index.ts';

/** What is thrown where a shape is needed: E_UNSUPPORTED, naming the value. */
export function shapeUnknown(value: string): BedsideError {
  return new BedsideError(
    'E_UNSUPPORTED',
    `the shape of '${value}' is unknown, so nothing can be explained through it`,
    {
      hint: 'export the model with shapes that follow from its input; a criterion of weights alone, such as l1, needs none',
    },
  );
}
