// `bedside audit`: looks at the audit log that `bedside serve` keeps.
import type { Command } from 'commander';
import { verifyAudit } from '../../../gateway/index.ts';
import { EXIT, examples } from '../../command-line.ts';
import { addCommon, type CommonOptions } from '../../options/common.ts';
import { Output } from '../../terminal/output.ts';

interface VerifyOptions extends CommonOptions {
  readonly anchor?: string;
}

/** Adds the command to the program. */
export function addAudit(program: Command): void {
  const group = program
    .command('audit')
    .summary('check the log of decisions that bedside serve keeps')
    .description('Checks the audit log of `bedside serve --audit`.');
  const verify = group
    .command('verify')
    .summary('find a line that was changed, removed, moved or cut off')
    .description(
      'Reads an audit log from its first line to its last. Each line has the hash of the line before it, so a changed, ' +
        'removed or moved line shows. A cut end, or a log that was written anew, shows by the anchor: the count and the hash ' +
        'of the newest line, kept apart. Ends with status 1 if something is wrong.',
    )
    .argument('<folder>', 'that of bedside serve --audit')
    .option('--anchor <file>', 'that of bedside serve --audit-anchor; default: anchor.json in the folder');
  addCommon(verify)
    .addHelpText(
      'after',
      examples(['bedside audit verify log/', 'read the whole log, and compare it with its anchor']),
    )
    .action((folder: string, options: VerifyOptions) => run(folder, options));
}

async function run(folder: string, options: VerifyOptions): Promise<void> {
  const output = new Output(options);
  const check = await verifyAudit(folder, options.anchor);
  const { ok, entries, firstBad, anchored } = check;
  output.result({ ok, entries, firstBad: firstBad ?? null, anchored });
  const where = firstBad && `${firstBad.file}, line ${firstBad.line}: ${firstBad.reason}`;
  output.print(where === undefined ? `${entries} entries, each as it was written\n` : `${where}\n`);
  if (!anchored) output.note('there is no anchor: lines that were cut off at the end would not show');
  if (!ok) process.exitCode = EXIT.failure;
}
