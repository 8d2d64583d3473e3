// The option that names precisions.
import { InvalidArgumentError } from 'commander';
import { PRECISIONS, type Precision } from '../../app/options.ts';

/** Parses a list such as `float32,int8`. */
export function precisionList(text: string): readonly Precision[] {
  const words = text.split(',').map((word) => word.trim());
  const found = words.map((word) => PRECISIONS.find((precision) => precision === word));
  const unknown = words[found.indexOf(undefined)];
  if (unknown !== undefined) {
    throw new InvalidArgumentError(`expected a list of ${PRECISIONS.join(' and ')}, not '${unknown}'`);
  }
  return found.filter((precision) => precision !== undefined);
}
