// The command line as a whole: commands, help, version, failures.
import { Command, CommanderError } from 'commander';
import { EXIT, examples, tellError } from './command-line.ts';
import { addCluster } from './commands/cluster.ts';
import { addCompare } from './commands/compare.ts';
import { addDemo } from './commands/demo.ts';
import { addEvaluate } from './commands/evaluate.ts';
import { addExplain } from './commands/explain.ts';
import { addFleet } from './commands/fleet.ts';
import { addInfer } from './commands/infer.ts';
import { addInspect } from './commands/inspect.ts';
import { addPack } from './commands/pack.ts';
import { addPlan } from './commands/plan.ts';
import { addPrune } from './commands/prune.ts';
import { addSimulate } from './commands/simulate.ts';
import { addTrain } from './commands/train.ts';
import { addWorker } from './commands/worker.ts';
import { VERSION } from './version.ts';

/** The program; parsing throws instead of ending the process. */
export function buildProgram(): Command {
  const program = new Command('bedside')
    .description('Explain a pre-trained ONNX classifier, and prune it without retraining.')
    .version(VERSION, '-V, --version', 'print the version')
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
  addInspect(program);
  addEvaluate(program);
  addExplain(program);
  addCompare(program);
  addPrune(program);
  addPack(program);
  addPlan(program);
  addTrain(program);
  addSimulate(program);
  addInfer(program);
  addWorker(program);
  addFleet(program);
  addCluster(program);
  addDemo(program);
  return program;
}

/** Runs a command line (without the first two words of argv); returns the exit status. */
export async function runCommandLine(words: readonly string[]): Promise<number> {
  const program = buildProgram();
  if (words.length === 0) {
    program.outputHelp();
    return EXIT.success;
  }
  try {
    await program.parseAsync([...words], { from: 'user' });
    return EXIT.success;
  } catch (error) {
    // Help and version end by an exception too.
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.success;
    const [name = ''] = words;
    const known = program.commands.some((command) => command.name() === name);
    return tellError(error, { json: words.includes('--json'), ...(known ? { command: name } : {}) });
  }
}
