// The words of a command line before Commander reads them: flags that stand before the command, asking for help, and groups of
// commands of which none is named.
import type { Command } from 'commander';
import { BedsideError } from '../util/index.ts';

/** Flags of every command that people also put first. */
export const ANYWHERE: ReadonlySet<string> = new Set(['--json', '--quiet']);

/** The words with flags that stand before the command behind it; `groups` are commands that have commands of their own. */
export function inOrder(words: readonly string[], groups: ReadonlySet<string>): string[] {
  const flags: string[] = [];
  const command: string[] = [];
  let at = 0;
  const pass = (): void => {
    for (; ANYWHERE.has(words[at] ?? ''); at++) flags.push(words[at] as string);
  };
  pass();
  while (at < words.length && (command.length === 0 || groups.has(command.at(-1) ?? ''))) {
    command.push(words[at++] as string);
    if (groups.has(command.at(-1) ?? '')) pass();
  }
  return [...command, ...flags, ...words.slice(at)];
}

/**
 * The command whose help is asked for by `help a b` or `a help b`; undefined where none is.
 * @throws BedsideError E_USAGE when there is no such command
 */
export function helpAsked(program: Command, words: readonly string[]): Command | undefined {
  const names = words.filter((word) => !word.startsWith('-'));
  const at = names.indexOf('help');
  const isGroup = at === 1 && (named(program, names[0] ?? '')?.commands.length ?? 0) > 0;
  if (at !== 0 && !isGroup) return undefined;
  let command = program;
  for (const name of names.filter((_, i) => i !== at)) {
    const next = named(command, name);
    if (!next) throw unknownCommand(command, name);
    command = next;
  }
  return command;
}

/** The command of a group that is called without naming one of its own; undefined where there is no such thing. */
export function groupAlone(program: Command, words: readonly string[]): Command | undefined {
  const [name = '', ...rest] = words;
  const group = named(program, name);
  if (!group || group.commands.length === 0) return undefined;
  return rest.every((word) => ANYWHERE.has(word)) ? group : undefined;
}

/** What a group says to that, beside its help. */
export function groupError(group: Command): BedsideError {
  const own = group.commands.map((command) => command.name());
  return new BedsideError('E_USAGE', `${group.name()} needs one of its commands: ${own.join(', ')}`, {
    hint: `bedside ${group.name()} ${own[0]} --help shows the help of one`,
  });
}

/** No command at all, but something else. */
export function noCommand(): BedsideError {
  return new BedsideError('E_USAGE', 'no command is named', { hint: 'bedside --help lists the commands' });
}

function named(command: Command, name: string): Command | undefined {
  return command.commands.find((one) => one.name() === name);
}

function unknownCommand(command: Command, name: string): BedsideError {
  const own = command.commands.map((one) => one.name());
  const near = own.filter((one) => distance(one, name) <= Math.max(1, Math.floor(one.length / 3)));
  const path = command.parent ? `bedside ${command.name()}` : 'bedside';
  if (own.length === 0) {
    return new BedsideError('E_USAGE', `${command.name()} has no commands of its own, such as '${name}'`, {
      hint: `${path} --help lists its options, with examples`,
    });
  }
  return new BedsideError('E_USAGE', `unknown command '${name}'`, {
    hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `${path} --help lists the commands`,
  });
}

/** Letters to change, add or leave out (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
