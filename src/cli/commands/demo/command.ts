// `bedside demo`: the whole path on the shipped network, explained step by step.
import type { Command } from 'commander';
import { demo } from '../../../app/demo/demo.ts';
import { EXIT, examples } from '../../command-line.ts';
import { addCommon, addRun, type CommonOptions, type ComputeOptions } from '../../options/common.ts';
import { assertNoConflict, type Conflict } from '../../options/conflicts.ts';
import { serverUrl } from '../../options/nats.ts';
import { Interrupt } from '../../terminal/interrupt.ts';
import { Output } from '../../terminal/output.ts';
import { typedCommand } from '../../terminal/typed-command.ts';
import { demoJson } from './json.ts';
import { serveWard } from './serve-ward.ts';
import { describeEnd, describeStep } from './text.ts';

interface DemoCommandOptions extends CommonOptions, ComputeOptions {
  readonly model?: string;
  readonly data?: string;
  readonly outDir: string;
  readonly fabric: string;
  readonly serve: boolean;
}

const CONFLICTS: readonly Conflict<DemoCommandOptions>[] = [
  {
    when: ({ model, data }) => (model === undefined) !== (data === undefined),
    message: 'demo takes --model and --data together, or neither',
    hint: 'bedside demo alone runs on what the package ships',
  },
];

/** Adds the command to the program. */
export function addDemo(program: Command): void {
  const command = program
    .command('demo')
    .summary('the whole path on a small shipped network, offline, in about a minute')
    .description(
      'Shows the whole path, step by step. It explains a network, compares criteria, prunes to half of the ' +
        'multiply-accumulates without retraining, and measures the result. Then it packs the network at every width, and ' +
        'plans and runs it on four emulated devices while a link is throttled and a device is killed. At the end it ' +
        'compares distribution, pruning and both. In a terminal it then serves the bundle until Ctrl-C: simulated monitors ' +
        'ask, a link is throttled and a device killed again and again, and the dashboard shows it. By default the network is the small one in the package, and the samples ' +
        'are generated ECG beats (dynamical model of McSharry et al., IEEE TBME 2003): no download and no data are needed.',
    )
    .option('--model <file>', 'an ONNX classifier of your own, with --data')
    .option('--data <dataset>', 'samples for it: an .npz, a folder of images or of WFDB records')
    .option('--out-dir <folder>', 'folder for the pruned model, the bundle and the report', 'bedside-demo');
  command.option(
    '--fabric <where>',
    'connection of the devices: local, nats (a server of this machine) or nats://host:port',
    fabric,
    'local',
  );
  command.option('--no-serve', 'end after the last comparison, also in a terminal');
  addCommon(addRun(command))
    .addHelpText(
      'after',
      examples(
        ['bedside demo', 'about a minute'],
        ['bedside demo --model model.onnx --data scans/ --out-dir out', 'the same on your own network'],
        ['bedside demo --fabric nats://127.0.0.1:4222', 'devices connected by a running NATS server'],
      ),
    )
    .action((options: DemoCommandOptions) => run(options));
}

async function run({ fabric: place, serve: wanted, ...options }: DemoCommandOptions): Promise<void> {
  const output = new Output(options);
  assertNoConflict({ ...options, fabric: place, serve: wanted }, CONFLICTS);
  const control = new AbortController();
  const nats = place === 'local' ? undefined : { servers: [place] };
  let interrupt: Interrupt | undefined;
  try {
    const result = await demo(
      {
        ...options,
        nats,
        signal: control.signal,
        command: typedCommand(),
        onStep: (step) => {
          output.print(describeStep(step));
          if (step.step === 'fleet') {
            // From here on the first Ctrl-C lets the request that runs end.
            interrupt = Interrupt.of(output);
            interrupt.signal.addEventListener('abort', () => control.abort());
          } else if (step.step === 'planners') interrupt?.end();
        },
      },
      output,
    );
    output.print(describeEnd(result, options.model));
    output.result(demoJson(result));
    if (result.fleet.interrupted) process.exitCode = EXIT.interrupted;
    else if (wanted && !options.json && process.stdout.isTTY) {
      await serveWard({ ...result.fleet, samples: result.sets.test, nats }, output);
    }
  } finally {
    interrupt?.end();
  }
}

/** --fabric: `nats` is a server of this machine at its usual port. */
function fabric(text: string): string {
  if (text === 'nats') return 'nats://127.0.0.1:4222';
  return text === 'local' ? text : serverUrl(text);
}
