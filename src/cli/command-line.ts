// Shared by all commands: exit statuses, examples below their help, and how failures are printed.
import { CommanderError } from 'commander';
import { BedsideError, largest, messageOf, plainLine, plainText } from '../util/index.ts';
import { Output, type OutputOptions } from './terminal/output.ts';

/** Exit statuses: 0 success, 1 failure, 2 a wrong command line, 130 interrupted. */
export const EXIT = { success: 0, failure: 1, usage: 2, interrupted: 130 } as const;

/** Examples below a command's help. */
export function examples(...lines: readonly (readonly [command: string, what: string])[]): string {
  const width = largest(lines.map(([command]) => command.length));
  const one = ([command, what]: readonly [string, string]): string => {
    if (what === '') return `  ${command}`;
    return width > 70 ? `  # ${what}\n  ${command}` : `  ${command.padEnd(width)}  # ${what}`;
  };
  return `\nExamples:\n${lines.map(one).join('\n')}`;
}

/** Any failure as a coded one. An unexpected failure is a defect of bedside. */
export function asBedsideError(error: unknown, command?: string): BedsideError {
  if (BedsideError.is(error)) return error;
  if (error instanceof CommanderError) return usageError(error, command);
  return new BedsideError('E_INTERNAL', `a defect of bedside: ${messageOf(error)}`, {
    hint: 'please report it, with the command; BEDSIDE_DEBUG=1 shows where it happened',
    cause: error,
  });
}

/** Prints a failure, as JSON on stdout under --json and otherwise on stderr. Returns the exit status. */
export function printError(error: unknown, options: OutputOptions & { readonly command?: string }): number {
  const failure = asBedsideError(error, options.command);
  const { code, message, hint } = failure;
  if (options.json) {
    new Output(options).result({ error: { code, message, ...(hint === undefined ? {} : { hint }) } });
  } else {
    process.stderr.write(
      `bedside: ${code}: ${plainLine(message)}\n${hint === undefined ? '' : `  hint: ${plainLine(hint)}\n`}`,
    );
  }
  if (process.env.BEDSIDE_DEBUG === '1') {
    process.stderr.write(`${plainText(failure.stack ?? '')}\n`);
    if (failure.cause instanceof Error)
      process.stderr.write(`caused by ${plainText(failure.cause.stack ?? '')}\n`);
  }
  return code === 'E_USAGE' ? EXIT.usage : EXIT.failure;
}

/** An error of commander, with its suggestion as the hint. */
function usageError(error: CommanderError, command: string | undefined): BedsideError {
  const [first = '', ...rest] = error.message.split('\n');
  const suggestion = rest
    .join(' ')
    .trim()
    .replace(/^\((.*)\)$/, '$1');
  const help =
    command === undefined
      ? 'bedside --help lists the commands'
      : `bedside ${command} --help lists the options, with examples`;
  // As one sentence: option '--ratios <list>' argument '2' is invalid: ...
  const message = first
    .replace(/^error: /, '')
    .replace(/ is invalid\. (?=\S)/, ' is invalid: ')
    .replace(/\.$/, '');
  return new BedsideError('E_USAGE', message, { hint: suggestion || help });
}
