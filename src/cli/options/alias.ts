// Old names of options: they keep working, and the help shows the new name alone.
import { type Command, Option } from 'commander';

/**
 * Adds an older name of an option that the command has.
 * @param flags as for the option itself, such as `--class-mix <shares>`
 * @param of the new name, such as `--class-prior`
 */
export function addAlias(command: Command, flags: string, of: string): Command {
  const option = command.options.find(({ long }) => long === of);
  if (!option) throw new Error(`no option ${of}`);
  const alias = new Option(flags).hideHelp();
  if (option.parseArg) alias.argParser(option.parseArg);
  alias.attributeName = () => option.attributeName();
  return command.addOption(alias);
}
