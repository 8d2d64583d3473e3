// `bedside service`: the gateway and workers as services of systemd.
import type { Command } from 'commander';
import { addCertificate } from './certificate.ts';
import { addInstall } from './install.ts';

/** Adds the command to the program. */
export function addService(program: Command): void {
  const group = program
    .command('service')
    .summary('the gateway or a worker as a service of systemd; certificates for browsers')
    .description('Writes hardened units of systemd, and certificates that browsers take.');
  addCertificate(group);
  addInstall(group);
}
