#!/usr/bin/env node
// Entry of the `bedside` command: runs it in this process and sets its exit status.
import './terminal/signals.ts';

// Everything else comes when signals are heeded.
const { EXIT, printError } = await import('./command-line.ts');
const { runCommandLine } = await import('./program.ts');

const words = process.argv.slice(2);

// A reader that has seen enough (`bedside … | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.success);
  throw error;
});
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
process.on('uncaughtException', (error) => {
  process.exit(printError(error, { json: words.includes('--json') }));
});

const status = await runCommandLine(words);
// A command that was asked to stop early has set its own.
process.exitCode ??= status;
