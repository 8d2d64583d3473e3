// `bedside service certificate`: a certificate for the gateway that phones and browsers take.
import type { Command } from 'commander';
import {
  MOST_CERTIFICATE_DAYS,
  type NewCertificate,
  writeCertificate,
} from '../../../app/service/certificate.ts';
import { examples } from '../../command-line.ts';
import { addCommon, type CommonOptions } from '../../options/common.ts';
import { numberIn } from '../../options/numbers.ts';
import { Output } from '../../terminal/output.ts';

interface CertificateOptions extends CommonOptions {
  readonly dir: string;
  readonly days: number;
  readonly renew?: boolean;
}

/** Adds the command to its group. */
export function addCertificate(group: Command): void {
  const command = group
    .command('certificate')
    .summary('make a certificate for browsers, of an authority of your own')
    .description(
      'Writes cert.pem and key.pem for --tls-cert and --tls-key of bedside serve, and the authority that signs them, ca.pem and ' +
        `ca.key. It is valid for at most ${MOST_CERTIFICATE_DAYS} days, as phones ask for. Each phone and tablet that shall visit ` +
        'must trust ca.pem. Keep ca.key elsewhere: whoever has it can pose as any site to those that trust ca.pem. An authority ' +
        'that is there stays. Needs the optional package @peculiar/x509.',
    )
    .argument('[hosts...]', 'names and addresses by which browsers reach the gateway')
    .option('--dir <folder>', 'folder of the files', 'tls')
    .option(
      '--days <n>',
      'days that it is valid',
      numberIn(2, MOST_CERTIFICATE_DAYS, 'days'),
      MOST_CERTIFICATE_DAYS,
    )
    .option('--renew', 'replace cert.pem and key.pem; without hosts, for the same ones');
  addCommon(command, false)
    .addHelpText(
      'after',
      examples(
        ['bedside service certificate ward7.local 10.0.0.2', 'into tls/'],
        [
          'bedside service certificate --dir /etc/bedside/tls --renew',
          'once a year, then restart the gateway',
        ],
      ),
    )
    .action((hosts: string[], options: CertificateOptions) => run(hosts, options));
}

async function run(
  hosts: readonly string[],
  { dir, days, renew, ...rest }: CertificateOptions,
): Promise<void> {
  const output = new Output(rest);
  const made = await writeCertificate(dir, { hosts: hosts.length > 0 ? hosts : undefined, days, renew });
  output.result(made);
  output.print(told(made));
}

function told({ certificate, key, authority, kept, hosts, expires }: NewCertificate): string {
  return [
    `${certificate}: for ${hosts.join(', ')}, until ${expires.slice(0, 10)}`,
    kept
      ? `signed by ${authority}, which devices trust already`
      : `have each phone and tablet trust ${authority}`,
    `bedside serve … --tls-cert ${certificate} --tls-key ${key}`,
  ].join('\n');
}
