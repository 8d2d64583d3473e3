// The second half of the demo: the network is packed, planned and run on a fleet of four emulated devices.
import { join } from 'node:path';
import { type Bundle, openBundle } from '../../bundle/index.ts';
import type { Dataset } from '../../data/index.ts';
import { tensor } from '../../engine/index.ts';
import type { Fleet, PlanRequest, PlanView } from '../../plan/index.ts';
import { REQUEST_DEFAULTS } from '../../plan/internal.ts';
import { Coordinator, type FloatTensor, LocalWorkers, type NatsAccess } from '../../run/index.ts';
import { must } from '../../util/index.ts';
import { argmax } from '../../util/internal.ts';
import { packDrawn } from '../bundle/pack.ts';
import type { Network } from '../network/network.ts';
import { type ComparedStrategy, compareStrategies } from '../plan/strategy-comparison.ts';
import type { Journal } from '../reporter.ts';
import { emulatedWorkers } from '../run/local-fleet.ts';
import { SingleMachine } from '../run/single-machine.ts';
import { demoFleet } from './demo-fleet.ts';
import type { DemoListener } from './demo-steps.ts';
import { type ComparedPlanner, comparePlanners } from './planner-comparison.ts';
import {
  COORDINATOR,
  FALLBACK_MARGIN,
  measuredFleet,
  type StreamedRequest,
  streamRequests,
} from './request-stream.ts';

/** The network, its samples and the place of its devices. */
export interface FleetDemoOptions {
  readonly network: Network;
  /** Samples that rank and repair, and those that measure level vectors. */
  readonly calibration: Dataset;
  readonly validation: Dataset;
  /** Samples that nothing was chosen on. */
  readonly test: Dataset;
  readonly criterion: string;
  readonly block: number;
  readonly outDir: string;
  readonly seed: number;
  /** The server that connects the devices; local sockets if absent. */
  readonly nats: NatsAccess | undefined;
  readonly signal: AbortSignal;
  readonly onStep: DemoListener;
}

/** The answered requests, and the comparisons. */
export interface FleetDemoResult {
  /** The bundle's folder. */
  readonly bundle: string;
  /** The emulated devices. */
  readonly fleet: Fleet;
  readonly requests: readonly StreamedRequest[];
  readonly strategies: readonly ComparedStrategy[];
  readonly planners: readonly ComparedPlanner[];
  readonly interrupted: boolean;
}

const RATIOS = [0, 0.25, 0.5, 0.75];
const VARIANTS = 24;
const POSITIONS = 512;

/** Seconds. */
const DEADLINE = 20;
const PRIVACY = 'late';
/** Requests of each strategy at each floor, and samples that measure its accuracy. */
const PER_STRATEGY = 7;
const MEASURED_ON = 1000;

/** Packs, answers a stream of requests on a changing fleet, and compares strategies and planners. */
export async function fleetDemo(options: FleetDemoOptions, journal: Journal): Promise<FleetDemoResult> {
  const { signal, onStep, nats } = options;
  const bundle = await pack(options, journal);
  const fleet = demoFleet(bundle.manifest);
  const request: PlanRequest = {
    ...REQUEST_DEFAULTS,
    ...{ deadline: DEADLINE, levels: 'certified', privacy: PRIVACY },
  };
  onStep({ step: 'fleet', fleet, servers: nats?.servers, margin: FALLBACK_MARGIN });
  const devices = new DemoFleet(bundle, fleet, options, journal);
  const requests = await devices.stream(request);
  const strategies = signal.aborted ? [] : await devices.compareStrategies();
  const planners = signal.aborted ? [] : await comparedPlanners(bundle, fleet, request);
  if (planners.length > 0) onStep({ step: 'planners', rows: planners });
  return { bundle: bundle.dir, fleet, requests, strategies, planners, interrupted: signal.aborted };
}

function comparedPlanners({ manifest }: Bundle, fleet: Fleet, request: PlanRequest) {
  return comparePlanners(manifest, fleet, { ...request, levels: 'free', accuracyDrop: 0.03 });
}

async function pack(options: FleetDemoOptions, journal: Journal): Promise<Bundle> {
  const { network, calibration, validation, criterion, block, outDir, seed, onStep } = options;
  const out = join(outDir, 'bundle');
  onStep({ step: 'packing', levels: RATIOS.length });
  const packed = await packDrawn(
    network,
    { calibration, validation },
    {
      ...{ out, criterion, block, seed },
      ratios: RATIOS,
      variants: VARIANTS,
      maxPositions: POSITIONS,
      threads: 1,
      precisions: ['float32'],
    },
    journal,
  );
  onStep({ step: 'packed', packed });
  return await openBundle(out);
}

/** Starts the emulated devices for each part of the demo. */
class DemoFleet {
  readonly #bundle: Bundle;
  readonly #fleet: Fleet;
  readonly #options: FleetDemoOptions;
  readonly #journal: Journal;
  readonly #samples: readonly IndexedInput[];

  constructor(bundle: Bundle, fleet: Fleet, options: FleetDemoOptions, journal: Journal) {
    this.#bundle = bundle;
    this.#fleet = fleet;
    this.#options = options;
    this.#journal = journal;
    this.#samples = inputsOf(options.test, options.seed);
  }

  async stream(request: PlanRequest): Promise<readonly StreamedRequest[]> {
    const { signal, onStep, test } = this.#options;
    const { labels, classNames } = test;
    const fleet = this.#fleet;
    await using devices = await this.#start();
    return await streamRequests(
      {
        ...{ bundle: this.#bundle, devices, fleet, request: { request, solver: 'exact' }, signal },
        inputs: this.#samples.map(({ input }) => input),
        labels: labels && Int32Array.from(this.#samples, ({ index }) => labels[index] ?? -1),
        classes: classNames,
        listener: {
          started: () => onStep({ step: 'streaming', fleet }),
          request: (answered, longest) => onStep({ step: 'request', request: answered, longest }),
          event: (event) => onStep({ step: 'event', event }),
        },
      },
      this.#journal,
    );
  }

  async compareStrategies(): Promise<readonly ComparedStrategy[]> {
    const { signal, onStep, test } = this.#options;
    const bundle = this.#bundle;
    onStep({ step: 'comparing strategies' });
    await using devices = await this.#start();
    const coordinator = new Coordinator(COORDINATOR, bundle);
    await coordinator.join(devices.fabric);
    const single = new SingleMachine(bundle);
    try {
      // These processes are new: each measures itself.
      const fleet = await measuredFleet(bundle, this.#fleet, coordinator, this.#journal);
      const rows = await this.#journal.during('comparing strategies', (progress) =>
        compareStrategies({
          ...{ bundle, coordinator, fleet, signal, privacy: PRIVACY },
          inputs: this.#samples.slice(0, PER_STRATEGY).map(({ input }) => input),
          accuracyAt: accuracyOn(test, single),
          onProgress: (done, total) => progress.update(done, total),
        }),
      );
      if (rows.length > 0) onStep({ step: 'strategies', rows });
      return rows;
    } finally {
      await single.close();
      await coordinator.close();
    }
  }

  #start(): Promise<LocalWorkers> {
    const source = must(this.#fleet.devices[this.#fleet.source], 'a source').name;
    const here = { device: source, bundles: [this.#bundle] };
    return this.#journal.during('starting devices', () =>
      LocalWorkers.start(emulatedWorkers(this.#fleet), [this.#bundle.dir], here, this.#options.nats),
    );
  }
}

interface IndexedInput {
  readonly index: number;
  readonly input: FloatTensor;
}

/** Some test samples of all classes. */
function inputsOf(test: Dataset, seed: number): IndexedInput[] {
  const stride = test.samples.length / test.size;
  // Samples may be sorted by class or alternate; a step without a common factor reaches all classes.
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

/** Accuracy of a plan: by labels, or by agreement with the unpruned network. */
function accuracyOn(test: Dataset, single: SingleMachine): (plan: PlanView) => Promise<number> {
  const count = Math.min(test.size, MEASURED_ON);
  const stride = test.samples.length / test.size;
  const indices = Array.from({ length: count }, (_, at) => Math.floor((at * test.size) / count));
  const known = new Map<string, number>();
  const predict = async (index: number, levels: readonly number[], plan?: PlanView): Promise<number> => {
    const data = test.samples.slice(index * stride, (index + 1) * stride);
    return argmax(await single.run(levels, tensor(data, [1, ...test.sampleShape]), plan));
  };
  return async (plan) => {
    const { levels, stages } = plan;
    const key = JSON.stringify([levels, stages.map(({ precision, wire }) => [precision, wire])]);
    const found = known.get(key);
    if (found !== undefined) return found;
    const unpruned = levels.map(() => 0);
    let right = 0;
    for (const index of indices) {
      const expected = test.labels?.[index] ?? (await predict(index, unpruned));
      if ((await predict(index, levels, plan)) === expected) right++;
    }
    known.set(key, right / count);
    return right / count;
  };
}
