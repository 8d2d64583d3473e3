// Strategies for a sooner answer, compared at equal accuracy: distribution alone, pruning alone, and both.
import type { Bundle, BundleManifest } from '../../bundle/index.ts';
import type { Fleet, PlanRequest, PlanView } from '../../plan/index.ts';
import { completeRequest, type PrivacyPreset } from '../../plan/internal.ts';
import type { Coordinator, FloatTensor } from '../../run/index.ts';
import { median, must } from '../../util/index.ts';
import type { SolverName } from '../planners.ts';
import { Replanner } from '../run/replanner.ts';

/** A strategy, with the planner that plans by it alone. */
export interface Strategy {
  readonly strategy: string;
  readonly solver: SolverName;
  /** What of a bundle may be planned; default all of it. */
  readonly within?: ((manifest: BundleManifest) => BundleManifest) | undefined;
  /** Whether the raw input may go to trusted devices; default: it stays on the source. */
  readonly rawInput?: PlanRequest['rawInput'] | undefined;
}

/** The strategies for channels and devices. Where a bundle has eight-bit forms, pruning may use them. */
export const STRATEGIES: readonly Strategy[] = [
  { strategy: 'all on the source', solver: 'local' },
  { strategy: 'distribution only', solver: 'distribute-only' },
  { strategy: 'pruning only', solver: 'prune-only' },
  { strategy: 'both', solver: 'exact' },
];

/** How far below the unpruned network the accuracy may be. */
export const COMPARED_FLOORS = [0, 0.01, 0.03] as const;

/** The bundle, the devices and the samples of a comparison. */
export interface StrategyComparisonOptions {
  readonly bundle: Bundle;
  /** With the times that the devices measured themselves. */
  readonly fleet: Fleet;
  readonly coordinator: Coordinator;
  readonly inputs: readonly FloatTensor[];
  readonly privacy: PrivacyPreset;
  /** Accuracy at a plan's levels and precisions, on samples that no choice was made on. */
  readonly accuracyAt: (plan: PlanView) => Promise<number>;
  /** Default: those for channels and devices. */
  readonly strategies?: readonly Strategy[] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** One strategy at one floor. Seconds; `found` is absent if there is no plan. */
export interface ComparedStrategy {
  readonly strategy: string;
  /** Below the unpruned network's accuracy. */
  readonly floor: number;
  readonly found?:
    | {
        readonly levels: readonly number[];
        readonly devices: number;
        /** Stages in eight bits, and tensors between devices that travel as eight bits. */
        readonly eightBit: { readonly stages: number; readonly wires: number };
        readonly planned: number;
        /** Median. */
        readonly measured: number;
        readonly accuracy: number;
      }
    | undefined;
}

/** Plans each strategy for least time at each floor, runs the plans on the inputs, and measures their accuracy. */
export async function compareStrategies(options: StrategyComparisonOptions): Promise<ComparedStrategy[]> {
  const rows: ComparedStrategy[] = [];
  const known = new Map<string, ComparedStrategy['found']>();
  const { strategies = STRATEGIES } = options;
  const total = strategies.length * COMPARED_FLOORS.length;
  for (const floor of COMPARED_FLOORS) {
    for (const own of strategies) {
      if (options.signal?.aborted) return rows;
      const view = await planFor(options, own, floor);
      // Floors often lead to the same plan.
      const key = view && keyOf(view);
      const found = key === undefined ? undefined : (known.get(key) ?? (view && (await run(options, view))));
      if (key !== undefined) known.set(key, found);
      rows.push({ strategy: own.strategy, floor, found });
      options.onProgress?.(rows.length, total);
    }
  }
  return rows;
}

function keyOf({ levels, stages }: PlanView): string {
  return JSON.stringify([levels, stages.map(({ segments, precision, wire }) => [segments, precision, wire])]);
}

function planFor(
  { bundle, fleet, privacy }: StrategyComparisonOptions,
  { solver, within = (manifest) => manifest, rawInput }: Strategy,
  floor: number,
): Promise<PlanView | undefined> {
  const { unpruned } = bundle.manifest.accuracy;
  const request = completeRequest({
    deadline: 3600,
    accuracyFloor: Math.max(0, unpruned - floor),
    levels: 'certified',
    privacy,
    rawInput,
    weights: { time: 1, energy: 0, accuracy: 0, per: 'local' },
  });
  return new Replanner(within(bundle.manifest), fleet, { request, solver }).plan();
}

async function run(
  { coordinator, inputs, accuracyAt }: StrategyComparisonOptions,
  view: PlanView,
): Promise<ComparedStrategy['found']> {
  const accuracy = await accuracyAt(view);
  await coordinator.warm(view);
  const seconds: number[] = [];
  // The first is not counted: the engine prepares its sessions during it.
  for (const [at, input] of [must(inputs[0], 'an input'), ...inputs].entries()) {
    const answer = await coordinator.infer(input, view);
    if (at > 0) seconds.push(answer.seconds);
  }
  const devices = new Set(view.stages.flatMap(({ segments }) => segments.map(({ device }) => device)));
  return {
    levels: view.levels,
    devices: devices.size,
    eightBit: {
      stages: view.stages.filter(({ precision }) => precision === 'int8').length,
      wires: view.stages.filter((_, l) => travelsRounded(view, l)).length,
    },
    planned: view.latency,
    measured: median(seconds),
    accuracy,
  };
}

/** Whether a stage gets its input from another device, as eight bits. */
function travelsRounded({ stages }: PlanView, stage: number): boolean {
  const [own, before] = [stages[stage], stages[stage - 1]];
  if (!own || !before || own.wire !== 'uint8') return false;
  const had = new Set(before.segments.map(({ device }) => device));
  return before.segments.length > 1 || own.segments.some(({ device }) => !had.has(device));
}
