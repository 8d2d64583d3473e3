// `bedside simulate`: planners in a ward where everything moves, on the same requests and the same world.

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { loadBundle } from '../../app/index.ts';
import type { BundleManifest } from '../../bundle/index.ts';
import { parseFleet } from '../../plan/index.ts';
import {
  DECISION_TIMES,
  type DecisionTimeKind,
  parseTrace,
  type RequestOutcome,
  recorded,
  replayScenario,
  runScenario,
  type Scenario,
  summarise,
  WARD_PRESETS,
  type WardParameters,
  type WardPreset,
  wardPreset,
  wardScenario,
} from '../../simulate/index.ts';
import { assertWritable, BedsideError, plainLine, readTextChecked } from '../../util/index.ts';
import { EXIT, examples } from '../command-line.ts';
import { addCommon, type CommonOptions } from '../options/common.ts';
import { count, names } from '../options/numbers.ts';
import { deciderOf, SIMULATED, type SimulatedName, STALE_SECONDS } from '../simulate-solvers.ts';
import { courseText, refusalsText, rowsText, type SimulatedRow } from '../simulate-text.ts';
import { Interrupt } from '../terminal/interrupt.ts';
import { Output } from '../terminal/output.ts';

interface SimulateCommandOptions extends CommonOptions {
  readonly preset?: WardPreset;
  readonly fleet?: string;
  readonly replay?: string;
  readonly record?: string;
  readonly solver: readonly SimulatedName[];
  readonly requests?: number;
  readonly rate?: number;
  readonly policy?: string;
  readonly levels?: 'free' | 'certified';
  readonly decisionTime: DecisionTimeKind;
}

const DEFAULT_REQUESTS = 1000;

/** Adds the command to the program. */
export function addSimulate(program: Command): void {
  const command = program
    .command('simulate')
    .summary('planners in a ward where links, load, batteries and devices change')
    .description(
      'Lets requests come to a fleet that changes all the time: links fade and fail, other programs take their share of ' +
        'devices, batteries drain, devices leave and return. Each planner meets the same requests in the same world. A plan ' +
        'is made on the fleet as it is, and runs in the world as it then becomes; the time to decide counts against the ' +
        'deadline. Every plan is checked by code of its own before it runs. docs/ward.md tells every figure and its source.',
    )
    .argument('<bundles...>', 'folders written by bedside pack; requests are for any of them')
    .addOption(
      new Option('--preset <name>', `what moves, and how much: ${WARD_PRESETS.join(', ')}`).choices(
        WARD_PRESETS,
      ),
    )
    .option('--fleet <file>', "devices and links, as JSON; absent: the preset's own")
    .option('--replay <trace>', 'a recorded ward instead, as JSON lines: fleets, and requests if it has any')
    .option('--record <trace>', "write down the world and its requests, as the first solver's plans leave it")
    .option(
      '--solver <list>',
      `of ${SIMULATED.join(', ')}; exact-stale plans anew every ${STALE_SECONDS} s, static once`,
      solvers,
      ['policy', 'beam', 'static', 'local'],
    )
    .option('--policy <file>', 'a learned policy, as ONNX, instead of the one that the package ships')
    .option('--requests <n>', `requests; ${DEFAULT_REQUESTS}, or those of the trace`, count(10_000_000))
    .option('--rate <n>', "requests a second; absent: the preset's", rate)
    .addOption(
      new Option(
        '--levels <which>',
        'free: any mix, by the accuracy model; certified: measured variants',
      ).choices(['free', 'certified']),
    )
    .addOption(
      new Option(
        '--decision-time <rule>',
        'counted: from what the planner looked at, so that runs repeat; measured: by the clock; none',
      )
        .choices(DECISION_TIMES)
        .default('counted'),
    );
  addCommon(command)
    .addHelpText(
      'after',
      examples(
        ['bedside simulate ecg/ --preset ward', 'one bed, four planners'],
        ['bedside simulate ecg/ xray/ --preset ambulance --solver policy,exact,static', 'two networks'],
        ['bedside simulate ecg/ --fleet my-room.json --requests 5000 --json', 'your own devices'],
        ['bedside simulate ecg/ --replay monday.jsonl --solver beam,static', 'what was recorded'],
      ),
    )
    .action((bundles: readonly string[], options: SimulateCommandOptions) => run(bundles, options));
}

async function run(paths: readonly string[], options: SimulateCommandOptions): Promise<void> {
  const output = new Output(options);
  assertOneWorld(options);
  if (options.record !== undefined) await assertWritable(options.record);
  const bundles = await Promise.all(paths.map(async (path) => (await loadBundle(path, output)).manifest));
  assertDistinct(bundles);
  const { scenario, requests, place } = await scenarioOf(bundles, options);
  const interrupt = Interrupt.of(output);
  const episodes: Episode[] = [];
  try {
    for (const solver of options.solver) {
      if (interrupt.signal.aborted) break;
      const record = episodes.length === 0 ? options.record : undefined;
      episodes.push({ solver, outcomes: await episodeOf(solver, record) });
    }
  } finally {
    interrupt.end();
  }
  if (interrupt.signal.aborted) process.exitCode = EXIT.interrupted;
  const rows = rowsOf(episodes);
  const { seed, decisionTime } = options;
  output.result({
    place,
    bundles: bundles.map(({ name }) => name),
    requests,
    seed,
    decisionTime,
    finished: !interrupt.signal.aborted,
    rows,
  });
  output.say(
    [
      `${plainLine(`${bundles.map(({ name }) => name).join(', ')} in ${place}`)}: ${requests} requests, seed ${seed}`,
      '',
      rowsText(rows),
      '',
      courseText(episodes),
      ...[refusalsText(rows)].flatMap((text) => (text === '' ? [] : ['', text])),
    ].join('\n'),
  );
  if (options.record !== undefined) output.note(`written: ${options.record}`);

  async function episodeOf(solver: SimulatedName, record: string | undefined): Promise<RequestOutcome[]> {
    const told = record === undefined ? undefined : recording(scenario, record);
    const outcomes = await output.during(`simulating ${solver}`, (progress) =>
      runScenario(told?.scenario ?? scenario, deciderOf(solver, options), {
        requests,
        signal: interrupt.signal,
        onProgress: (done) => progress.update(done, requests, `simulating ${solver}`),
      }),
    );
    await told?.end();
    return outcomes;
  }
}

/** One planner's requests. */
interface Episode {
  readonly solver: SimulatedName;
  readonly outcomes: readonly RequestOutcome[];
}

function rowsOf(episodes: readonly Episode[]): SimulatedRow[] {
  const summaries = episodes.map(({ solver, outcomes }) => ({ solver, ...summarise(outcomes) }));
  const exact = summaries.find(({ solver }) => solver === 'exact')?.objective ?? null;
  return summaries.map((row) => ({
    ...row,
    toExact: exact === null || row.objective === null ? null : row.objective / exact - 1,
  }));
}

interface ChosenScenario {
  readonly scenario: Scenario;
  readonly requests: number;
  /** The world in a few words. */
  readonly place: string;
}

async function scenarioOf(
  bundles: readonly BundleManifest[],
  options: SimulateCommandOptions,
): Promise<ChosenScenario> {
  const { preset, fleet, replay, seed, levels } = options;
  const parameters = withRate(wardPreset(preset ?? 'ward'), options.rate);
  if (replay !== undefined) {
    const trace = parseTrace(await readTextChecked(replay, 'trace'), `trace ${replay}`);
    const scenario = replayScenario(trace, bundles, {
      requests: parameters.requests,
      seed,
      request: { levels },
    });
    const recordedRequests = trace.requests.length;
    const asked = options.requests ?? (recordedRequests > 0 ? recordedRequests : DEFAULT_REQUESTS);
    const requests = recordedRequests > 0 ? Math.min(asked, recordedRequests) : asked;
    return { scenario, requests, place: `replay of ${replay}` };
  }
  const file = fleet ?? presetFleet(preset ?? 'ward');
  const spec = { fleet: parseFleet(await readTextChecked(file, 'fleet'), `fleet ${file}`), parameters, seed };
  return {
    scenario: wardScenario(spec, bundles, { levels }),
    requests: options.requests ?? DEFAULT_REQUESTS,
    place: fleet === undefined ? (preset ?? 'ward') : `${spec.fleet.name}, moving as ${preset ?? 'ward'}`,
  };
}

/** The example fleet that goes with a preset. */
function presetFleet(preset: WardPreset): string {
  return fileURLToPath(new URL(`../../../examples/fleets/${preset}.json`, import.meta.url));
}

function withRate(parameters: WardParameters, perSecond: number | undefined): WardParameters {
  if (perSecond === undefined) return parameters;
  return { ...parameters, requests: { ...parameters.requests, perSecond } };
}

/** The scenario as it is written to a file. */
function recording(scenario: Scenario, path: string): { readonly scenario: Scenario; end(): Promise<void> } {
  const stream = createWriteStream(path);
  let failure: Error | undefined;
  stream.on('error', (error) => {
    failure = error;
  });
  return {
    scenario: recorded(scenario, (line) => {
      stream.write(`${line}\n`);
    }),
    async end() {
      stream.end();
      if (!stream.closed && !failure) await Promise.race([once(stream, 'close'), once(stream, 'error')]);
      if (failure) {
        throw new BedsideError('E_OUTPUT', `cannot write ${path}: ${failure.message}`, {
          hint: 'check the space that is left on the disk',
          cause: failure,
        });
      }
    },
  };
}

/** @throws BedsideError E_USAGE */
function assertOneWorld({ fleet, replay, record }: SimulateCommandOptions): void {
  const [first, second] = [fleet && '--fleet', record && '--record'];
  const other = replay === undefined ? undefined : (first ?? second);
  if (!other) return;
  throw new BedsideError('E_USAGE', `option '${other}' cannot be used with option '--replay'`, {
    hint: 'a trace has its own fleets',
  });
}

/** Requests and traces name bundles. @throws BedsideError E_USAGE */
function assertDistinct(bundles: readonly BundleManifest[]): void {
  const all = bundles.map(({ name }) => name);
  const twice = all.find((name, index) => all.indexOf(name) !== index);
  if (twice === undefined) return;
  throw new BedsideError('E_USAGE', `two of the bundles are named '${twice}'`, {
    hint: 'pack one of them again with another --name',
  });
}

function solvers(text: string): readonly SimulatedName[] {
  return names(text).map((name) => {
    const found = SIMULATED.find((known) => known === name);
    if (found) return found;
    throw new InvalidArgumentError(`'${name}' is none of ${SIMULATED.join(', ')}.`);
  });
}

function rate(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value > 0 && value <= 1000) return value;
  throw new InvalidArgumentError('Expected requests a second above 0, at most 1000.');
}
