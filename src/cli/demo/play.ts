// The demo's second half: the network packed at every width, planned and run in a room of four devices.
import { join } from 'node:path';
import {
  COMPARED_FLOORS,
  type ComparedStrategy,
  compareStrategies,
  emulatedWorkers,
  type Network,
  packDrawn,
  SingleMachine,
} from '../../app/index.ts';
import { openBundle } from '../../bundle/index.ts';
import type { Dataset } from '../../data/index.ts';
import { tensor } from '../../engine/index.ts';
import { type PlanRequest, REQUEST_DEFAULTS } from '../../plan/index.ts';
import { argmax } from '../../prune/index.ts';
import { Coordinator, type FloatTensor, LocalWorkers, type NatsAccess } from '../../run/index.ts';
import { formatBytes, formatPercent, formatSeconds, must } from '../../util/index.ts';
import { Interrupt } from '../terminal/interrupt.ts';
import type { Output } from '../terminal/output.ts';
import { indent, table } from '../terminal/tables.ts';
import { compareDeciders, type DeciderRow, decidersTable } from './deciders.ts';
import { demoFleet } from './fleet.ts';
import { ASKING, measuredFleet, type StreamedRequest, SURE, stream } from './stream.ts';

/** What is shown, and on what. */
export interface PlayOptions {
  readonly loaded: Network;
  /** Samples that rank and repair, and those that measure mixes of levels. */
  readonly calibration: Dataset;
  readonly validation: Dataset;
  /** Samples that nothing was chosen on. */
  readonly test: Dataset;
  readonly criterion: string;
  readonly block: number;
  readonly outDir: string;
  readonly seed: number;
  /** The server that devices meet on; absent: local sockets. */
  readonly nats?: NatsAccess | undefined;
}

/** What was shown. */
export interface Played {
  readonly bundle: string;
  readonly requests: readonly StreamedRequest[];
  readonly ways: readonly (Omit<ComparedStrategy, 'strategy'> & { readonly way: string })[];
  readonly deciders: readonly DeciderRow[];
  readonly interrupted: boolean;
}

const RATIOS = [0, 0.25, 0.5, 0.75];
const VARIANTS = 24;
const POSITIONS = 512;

/** Seconds. */
const DEADLINE = 20;
/** Requests of each way at each floor, and samples that measure its accuracy. */
const PER_WAY = 7;
const MEASURED_ON = 1000;

/** Packs, plans, and answers a stream of requests; then the ways beside each other. */
export async function play(options: PlayOptions, output: Output): Promise<Played> {
  const dir = join(options.outDir, 'bundle');
  output.say(
    `\n6. Pack: one network at every width, ${RATIOS.length} levels for each group of channels, measured on samples held apart.\n`,
  );
  const bundle = await pack(options, dir, output);
  const fleet = demoFleet(bundle.manifest);
  const privacy = 'late';
  const request: PlanRequest = { ...REQUEST_DEFAULTS, deadline: DEADLINE, levels: 'certified', privacy };
  output.say(
    '\n7. A room: four devices, processes of this machine slowed down to unequal strength' +
      `${options.nats ? `, over ${options.nats.servers?.join(', ')}` : ''}. The monitor has the input; the\n` +
      '   visitor is not trusted and may see the second half of the network only. For every request the planner chooses the\n' +
      `   level of each group and the device of each stage. An answer less than ${SURE} sure runs again unpruned.\n`,
  );
  const interrupt = Interrupt.of(output);
  try {
    const source = must(fleet.devices[fleet.source], 'a source').name;
    const samples = inputsOf(options.test, options.seed);
    const here = { device: source, bundles: [bundle] };
    const start = () => LocalWorkers.start(emulatedWorkers(fleet), [dir], here, options.nats);
    const requests = await (async () => {
      await using room = await output.during('starting devices', start);
      const { labels, classNames } = options.test;
      return await stream(
        {
          ...{ bundle, room, fleet, request: { request, solver: 'exact' } },
          inputs: samples.map(({ input }) => input),
          labels: labels && Int32Array.from(samples, ({ index }) => labels[index] ?? -1),
          classes: classNames,
          signal: interrupt.signal,
        },
        output,
      );
    })();
    if (!interrupt.signal.aborted) tellWays(output);
    const ways = await (async () => {
      if (interrupt.signal.aborted) return [];
      await using room = await output.during('starting devices', start);
      const requester = new Coordinator(ASKING, bundle);
      await requester.join(room.fabric);
      const single = new SingleMachine(bundle);
      try {
        // Others than before, and each measures itself.
        const measured = await measuredFleet(bundle, fleet, requester, output);
        return await output.during('comparing ways', (progress) =>
          compareStrategies({
            ...{ bundle, coordinator: requester, privacy },
            fleet: measured,
            inputs: samples.slice(0, PER_WAY).map(({ input }) => input),
            accuracyAt: accuracyOn(options.test, single),
            signal: interrupt.signal,
            onProgress: (done, total) => progress.update(done, total),
          }),
        );
      } finally {
        await single.close();
        await requester.close();
      }
    })();
    if (ways.length > 0) output.say(indent(waysTable(ways)));
    const deciders = interrupt.signal.aborted
      ? []
      : await compareDeciders(bundle.manifest, fleet, { ...request, levels: 'free', accuracyDrop: 0.03 });
    if (deciders.length > 0) tellDeciders(output, deciders);
    return {
      bundle: dir,
      requests,
      ways: ways.map(({ strategy, ...row }) => ({ way: strategy, ...row })),
      deciders,
      interrupted: interrupt.signal.aborted,
    };
  } finally {
    interrupt.end();
  }
}

function tellDeciders(output: Output, rows: readonly DeciderRow[]): void {
  output.say(
    '\n9. Who decides? One request with any mix of levels, in the room as it was at first: proven optimal, by guided search, by\n' +
      '   the learned policy that the package ships, and greedily.\n',
  );
  output.say(indent(decidersTable(rows)));
}

async function pack(options: PlayOptions, dir: string, output: Output) {
  const { loaded, calibration, validation, criterion, block, seed } = options;
  const { manifest, bytes, seconds } = await packDrawn(
    loaded,
    { calibration, validation },
    {
      ...{ out: dir, block, seed, criterion },
      ratios: RATIOS,
      variants: VARIANTS,
      maxPositions: POSITIONS,
      threads: 1,
    },
    output,
  );
  output.say(
    `   ${manifest.variants.length} mixes of levels measured, ${formatBytes(bytes)}, in ${formatSeconds(seconds.total ?? 0)}: ${dir}`,
  );
  return await openBundle(dir);
}

interface Sample {
  readonly index: number;
  readonly input: FloatTensor;
}

/** Some test samples of all classes. */
function inputsOf(test: Dataset, seed: number): Sample[] {
  const stride = test.samples.length / test.size;
  // Samples may stand in the order of their classes, or in turns; a step without a common factor reaches all.
  let step = Math.max(1, Math.floor(test.size * 0.382));
  while (commonFactor(step, test.size) > 1) step++;
  return Array.from({ length: Math.min(test.size, 32) }, (_, at) => {
    const index = (seed + at * step) % test.size;
    const data = test.samples.slice(index * stride, (index + 1) * stride);
    return { index, input: tensor(data, [1, ...test.sampleShape]) };
  });
}

function commonFactor(a: number, b: number): number {
  return b === 0 ? a : commonFactor(b, a % b);
}

/** Accuracy at levels, by labels or by agreement with the unpruned network. */
function accuracyOn(test: Dataset, single: SingleMachine): (levels: readonly number[]) => Promise<number> {
  const count = Math.min(test.size, MEASURED_ON);
  const stride = test.samples.length / test.size;
  const indices = Array.from({ length: count }, (_, at) => Math.floor((at * test.size) / count));
  const known = new Map<string, number>();
  const predict = async (index: number, levels: readonly number[]): Promise<number> => {
    const data = test.samples.slice(index * stride, (index + 1) * stride);
    return argmax(await single.run(levels, tensor(data, [1, ...test.sampleShape])));
  };
  return async (levels) => {
    const key = levels.join();
    const found = known.get(key);
    if (found !== undefined) return found;
    const unpruned = levels.map(() => 0);
    let right = 0;
    for (const index of indices) {
      const expected = test.labels?.[index] ?? (await predict(index, unpruned));
      if ((await predict(index, levels)) === expected) right++;
    }
    known.set(key, right / count);
    return right / count;
  };
}

function tellWays(output: Output): void {
  output.say(
    '\n8. What is gained by what? Each way planned for least time at the same floors of accuracy, in the room as it was at first;\n' +
      '   times are medians of requests, accuracies measured on test samples.\n',
  );
}

/** Ways down, floors across. */
function waysTable(rows: readonly ComparedStrategy[]): string {
  const ways = [...new Set(rows.map(({ strategy }) => strategy))];
  const titles = COMPARED_FLOORS.flatMap((floor) => [
    `>${floor === 0 ? 'as unpruned' : `${100 * floor} point${floor > 0.01 ? 's' : ''} less`}`,
    '>accuracy',
  ]);
  return table(
    ['way', ...titles],
    ways.map((way) => [
      way,
      ...COMPARED_FLOORS.flatMap((floor) => {
        const found = rows.find((row) => row.strategy === way && row.floor === floor)?.found;
        return found ? [formatSeconds(found.measured), formatPercent(found.accuracy)] : ['no plan', ''];
      }),
    ]),
  );
}
