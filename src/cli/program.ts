// The command line as a whole: commands, help, version, failures.
import { Command, CommanderError } from 'commander';
import { clearMemoryLater, VERSION } from '../util/index.ts';
import { EXIT, examples, printError } from './command-line.ts';
import { asksForVersion, versionText } from './version-text.ts';
import { ANYWHERE, groupAlone, groupError, helpAsked, inOrder, noCommand } from './words.ts';

/** Commands by name, in the order of the help. Each is loaded when it is asked for: a few would else load everything. */
const COMMANDS: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  inspect: async () => (await import('./commands/inspect/command.ts')).addInspect,
  init: async () => (await import('./commands/init/command.ts')).addInit,
  evaluate: async () => (await import('./commands/evaluate/command.ts')).addEvaluate,
  explain: async () => (await import('./commands/explain/command.ts')).addExplain,
  compare: async () => (await import('./commands/compare/command.ts')).addCompare,
  prune: async () => (await import('./commands/prune/command.ts')).addPrune,
  quantize: async () => (await import('./commands/quantize/command.ts')).addQuantize,
  pack: async () => (await import('./commands/pack/command.ts')).addPack,
  plan: async () => (await import('./commands/plan/command.ts')).addPlan,
  train: async () => (await import('./commands/train/command.ts')).addTrain,
  simulate: async () => (await import('./commands/simulate/command.ts')).addSimulate,
  infer: async () => (await import('./commands/infer/command.ts')).addInfer,
  detect: async () => (await import('./commands/detect/command.ts')).addDetect,
  stream: async () => (await import('./commands/stream/command.ts')).addStream,
  serve: async () => (await import('./commands/serve/command.ts')).addServe,
  dicomweb: async () => (await import('./commands/dicomweb/command.ts')).addDicomweb,
  audit: async () => (await import('./commands/audit/command.ts')).addAudit,
  worker: async () => (await import('./commands/worker/command.ts')).addWorker,
  fleet: async () => (await import('./commands/fleet/command.ts')).addFleet,
  cluster: async () => (await import('./commands/cluster/command.ts')).addCluster,
  service: async () => (await import('./commands/service/command.ts')).addService,
  demo: async () => (await import('./commands/demo/command.ts')).addDemo,
};

/** The program with one command, or with all where it names none; parsing throws instead of ending the process. */
async function buildProgram(name: string): Promise<Command> {
  const program = new Command('bedside')
    .description(
      'Explain a pre-trained ONNX network, prune it without retraining, and run it on several devices. Not for clinical use.',
    )
    .version(VERSION, '-V, --version', 'print the version; with --verbose also those of the engine and Node')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show the help of a command')
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .addHelpText(
      'after',
      examples(
        ['bedside demo', 'the whole path on what the package ships, in about a minute'],
        ['bedside inspect model.onnx', 'layers, groups of channels, costs'],
        ['bedside explain --help', 'help of one command'],
      ),
    );
  const own = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  for (const load of own ? [own] : Object.values(COMMANDS)) (await load())(program);
  return program;
}

/** Commands that have commands of their own. */
const GROUPS: ReadonlySet<string> = new Set(['cluster', 'audit', 'service']);

/** Commands that compute for long, and then end. */
const OFFLINE: ReadonlySet<string> = new Set(['compare', 'demo', 'pack', 'prune', 'quantize']);

/** Runs a command line (without the first two words of argv); returns the exit status. */
export async function runCommandLine(given: readonly string[]): Promise<number> {
  if (asksForVersion(given)) {
    process.stdout.write(await versionText(given.includes('--verbose')));
    return EXIT.success;
  }
  const words = inOrder(given, GROUPS);
  const json = words.includes('--json');
  const [name = ''] = words;
  if (OFFLINE.has(name)) clearMemoryLater();
  const program = await buildProgram(name);
  if (words.length === 0) {
    program.outputHelp();
    return EXIT.success;
  }
  try {
    if (name.startsWith('-') && given.every((word) => ANYWHERE.has(word))) throw noCommand();
    const helped = helpAsked(program, words);
    if (helped) {
      helped.outputHelp();
      return EXIT.success;
    }
    const group = groupAlone(program, words);
    if (group) {
      if (!json) group.outputHelp({ error: true });
      throw groupError(group);
    }
    await program.parseAsync(words, { from: 'user' });
    return EXIT.success;
  } catch (error) {
    // Help and version end by an exception too.
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.success;
    return printError(error, { json, ...namedCommand(program, words) });
  }
}

/** The command that words begin with, and the one of it: `audit verify`. */
function namedCommand({ commands }: Command, [name, ...rest]: readonly string[]): { command?: string } {
  const found = commands.find((command) => command.name() === name);
  if (!found) return {};
  const inner = namedCommand(found, rest).command;
  return { command: inner === undefined ? found.name() : `${found.name()} ${inner}` };
}
