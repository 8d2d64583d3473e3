// `bedside audit`: looks at the audit log that `bedside serve` keeps.
import type { Command } from 'commander';
import { isAnchorAddress } from '../../../app/cluster/anchors.ts';
import { type AuditCheck, NatsAnchor, verifyAudit, writeAuditKey } from '../../../gateway/index.ts';
import { BedsideError } from '../../../util/index.ts';
import { EXIT, examples } from '../../command-line.ts';
import { addCommon, type CommonOptions } from '../../options/common.ts';
import { addCredentials } from '../../options/nats.ts';
import { Output } from '../../terminal/output.ts';

interface VerifyOptions extends CommonOptions {
  readonly anchor?: string;
  readonly credentials?: string;
  readonly publicKey?: readonly string[];
}

/** Adds the command to the program. */
export function addAudit(program: Command): void {
  const group = program
    .command('audit')
    .summary('check the log of decisions that bedside serve keeps')
    .description('Checks the audit log of `bedside serve --audit`, and makes keys that sign it.');
  const verify = group
    .command('verify')
    .summary('find a line that was changed, removed, moved or cut off')
    .description(
      'Reads an audit log from its first line to its last. Each line has the hash of the line before it, so a changed, ' +
        'removed or moved line shows. A cut end, or a log that was written anew, shows by the anchor: the count and the hash ' +
        'of the newest line, kept apart. Ends with status 1 if something is wrong.',
    )
    .argument('<folder>', 'that of bedside serve --audit')
    .option(
      '--anchor <place>',
      'file of bedside serve --audit-anchor, or nats://host:port[/GATEWAY/LOG]; default: anchor.json in the folder',
    );
  addCredentials(verify).option(
    '--public-key <files...>',
    'of a signed log: each line, and the anchor, must be signed by one of these keys',
  );
  addCommon(verify, false)
    .addHelpText(
      'after',
      examples(
        ['bedside audit verify log/', 'read the whole log, and compare it with its anchor'],
        ['bedside audit verify log/ --public-key audit.pem.pub', 'and check who signed it'],
        [
          'bedside audit verify log/ --anchor nats://10.0.0.2:4222 --credentials observer.json',
          'and compare with what the NATS server remembers',
        ],
      ),
    )
    .action((folder: string, options: VerifyOptions) => run(folder, options));
  addKey(group);
}

function addKey(group: Command): void {
  const key = group
    .command('key')
    .summary('make a key that signs an audit log')
    .description(
      'Makes an Ed25519 key for bedside serve --audit-key: the private one in FILE, which only you may read, and the public ' +
        'one in FILE.pub, for bedside audit verify --public-key. Keep the public one elsewhere. Without the private key ' +
        'nobody can write the log anew. A file that is there is not replaced.',
    )
    .argument('<file>', 'the file of the private key');
  addCommon(key, false)
    .addHelpText('after', examples(['bedside audit key audit.pem', 'audit.pem and audit.pem.pub']))
    .action(async (file: string, options: CommonOptions) => {
      const output = new Output(options);
      const { publicKey } = await writeAuditKey(file);
      output.result({ key: file, publicKey });
      output.print(`${file} signs, ${publicKey} checks\n`);
    });
}

async function run(folder: string, options: VerifyOptions): Promise<void> {
  const output = new Output(options);
  const check = await checked(folder, options);
  const { ok, entries, firstBad, anchored, signatures } = check;
  output.result({ ok, entries, firstBad: firstBad ?? null, anchored, signatures });
  const where = firstBad && `${firstBad.file}, line ${firstBad.line}: ${firstBad.reason}`;
  const signed = signatures === 'valid' ? ' and signed' : '';
  output.print(where === undefined ? `${entries} entries, each as it was written${signed}\n` : `${where}\n`);
  if (ok && signatures === 'unchecked') output.note('lines are signed: --public-key checks by whom');
  if (!anchored) output.note('there is no anchor: lines that were cut off at the end would not show');
  if (!ok) process.exitCode = EXIT.failure;
}

/** Compared with the anchor that was named, on the server or in a file. @throws BedsideError E_USAGE, and as `verifyAudit` */
async function checked(folder: string, options: VerifyOptions): Promise<AuditCheck> {
  const { anchor, credentials, publicKey: publicKeys } = options;
  if (anchor !== undefined && isAnchorAddress(anchor)) {
    await using remembered = await NatsAnchor.open({ address: anchor, folder }, credentials);
    return await verifyAudit(folder, { anchors: [remembered], publicKeys });
  }
  if (credentials !== undefined) {
    throw new BedsideError('E_USAGE', '--credentials is for an anchor on a NATS server', {
      hint: 'name it with --anchor nats://host:port',
    });
  }
  return await verifyAudit(folder, { anchor, publicKeys });
}
