// --class-prior: the share of each class where the network will run.
import { type Command, InvalidArgumentError } from 'commander';
import { addAlias } from './alias.ts';
import { items } from './numbers.ts';

/** --class-prior. `uses` says what it changes. */
export function addClassPrior(command: Command, uses: string): Command {
  command.option(
    '--class-prior <shares>',
    `the local share of each class, by name or number, such as N:0.9,V:0.1: ${uses}; other classes are left out`,
    parseClassPrior,
  );
  return addAlias(command, '--class-mix <shares>', '--class-prior');
}

/** Reads `N:0.9,V:0.1`. */
export function parseClassPrior(text: string): ReadonlyMap<string, number> {
  const mix = new Map<string, number>();
  for (const item of items(text)) {
    const at = item.lastIndexOf(':');
    const [name, typed] = [item.slice(0, at).trim(), item.slice(at + 1).trim()];
    const share = Number(typed);
    if (at < 1 || name === '' || typed === '' || !Number.isFinite(share)) {
      throw new InvalidArgumentError(`'${item}' is not a class and a share, such as N:0.9.`);
    }
    if (share < 0) throw new InvalidArgumentError(`The share of '${name}' is negative.`);
    if (mix.has(name)) throw new InvalidArgumentError(`Class '${name}' is there twice.`);
    mix.set(name, share);
  }
  if (![...mix.values()].some((share) => share > 0)) {
    throw new InvalidArgumentError('All shares are 0.');
  }
  return mix;
}
