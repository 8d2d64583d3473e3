// --labels, --class-map and --contract: what is said of a network's input and output on the command line.
import { type Command, InvalidArgumentError } from 'commander';
import type { InputContract } from '../../data/index.ts';

/** Adds the options that say what a network's input and scores mean. */
export function addContract(command: Command): Command {
  return command
    .option(
      '--contract <file>',
      'a contract to read instead of the model.json beside the model (docs/data.md)',
    )
    .option('--labels <list>', "names of the network's classes by index, such as 0=N,1=S", parseLabelNames)
    .option(
      '--class-map <list>',
      "the network's class of each label of the data, such as N:0,S:1,Q:-; - leaves its samples out",
      parseClassMap,
    );
}

/**
 * `0=N,1=S,2=V`: names of all classes of the network, by index.
 * @throws InvalidArgumentError
 */
export function parseLabelNames(text: string): readonly string[] {
  const names: string[] = [];
  for (const item of text.split(',')) {
    const found = /^\s*(\d{1,6})\s*=\s*(.*\S)\s*$/.exec(item);
    if (!found) throw unreadable(item, '0=N,1=S,2=V');
    const [, index = '', name = ''] = found;
    if (names[Number(index)] !== undefined) throw new InvalidArgumentError(`Class ${index} has two names.`);
    names[Number(index)] = name;
  }
  const missing = Array.from(names).indexOf(undefined as never);
  if (missing >= 0) {
    throw new InvalidArgumentError(
      `Class ${missing} has no name: name all of the network's classes, from 0.`,
    );
  }
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new InvalidArgumentError(`Two classes are called '${twice}'.`);
  return names;
}

/**
 * `N:0,S:1,Q:-`: label of the data, and index or name of the network's class; `-` leaves the label out. A label may
 * hold colons, the last one divides.
 * @throws InvalidArgumentError
 */
export function parseClassMap(text: string): NonNullable<InputContract['classMap']> {
  const entries = new Map<string, number | string | null>();
  for (const item of text.split(',')) {
    const at = item.lastIndexOf(':');
    const [label, output] = [item.slice(0, at).trim(), item.slice(at + 1).trim()];
    if (at < 0 || label === '' || output === '') throw unreadable(item, 'N:0,S:1,Q:-');
    if (entries.has(label)) throw new InvalidArgumentError(`Label '${label}' is there twice.`);
    entries.set(label, output === '-' ? null : /^\d{1,6}$/.test(output) ? Number(output) : output);
  }
  return Object.fromEntries(entries);
}

function unreadable(item: string, example: string): InvalidArgumentError {
  return new InvalidArgumentError(`Cannot read '${item.trim()}'; expected a list such as ${example}.`);
}
