// The ways to answer sooner, beside each other at equal accuracy: distribution alone, pruning alone, both.

import { Replanner, type SolverName } from '../app/index.ts';
import type { Bundle } from '../bundle/index.ts';
import { completeRequest, type Fleet, type PlanView, type PrivacyPreset } from '../plan/index.ts';
import type { Coordinator, FloatTensor } from '../run/index.ts';
import { median, must } from '../util/index.ts';

/** A way, and the planner that knows no other. A learned planner has its place beside `exact`. */
export const WAYS = [
  { way: 'all on the source', solver: 'local' },
  { way: 'distribution only', solver: 'distribute-only' },
  { way: 'pruning only', solver: 'prune-only' },
  { way: 'both', solver: 'exact' },
] as const satisfies readonly { readonly way: string; readonly solver: SolverName }[];

/** How far below the unpruned network the accuracy may be. */
export const FLOORS = [0, 0.01, 0.03] as const;

/** What is compared on. */
export interface WaysRoom {
  readonly bundle: Bundle;
  /** With what devices measured. */
  readonly fleet: Fleet;
  readonly requester: Coordinator;
  readonly inputs: readonly FloatTensor[];
  readonly privacy: PrivacyPreset;
  /** Accuracy at these levels, on samples that no choice was made on. */
  readonly accuracyAt: (levels: readonly number[]) => Promise<number>;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** One way at one floor. Seconds; absent where there is no plan. */
export interface WayRow {
  readonly way: (typeof WAYS)[number]['way'];
  /** Below the unpruned network's accuracy. */
  readonly floor: number;
  readonly found?:
    | {
        readonly levels: readonly number[];
        readonly devices: number;
        readonly planned: number;
        /** Median. */
        readonly measured: number;
        readonly accuracy: number;
      }
    | undefined;
}

/** Plans each way for least time at each floor, runs it on the inputs, and measures its accuracy. */
export async function compareWays(room: WaysRoom): Promise<WayRow[]> {
  const rows: WayRow[] = [];
  const known = new Map<string, WayRow['found']>();
  const total = WAYS.length * FLOORS.length;
  for (const floor of FLOORS) {
    for (const { way, solver } of WAYS) {
      if (room.signal?.aborted) return rows;
      const view = await planWay(room, solver, floor);
      // Floors often lead to the same plan.
      const key = view && JSON.stringify([view.levels, view.stages.map(({ segments }) => segments)]);
      const found = key === undefined ? undefined : (known.get(key) ?? (view && (await run(room, view))));
      if (key !== undefined) known.set(key, found);
      rows.push({ way, floor, found });
      room.onProgress?.(rows.length, total);
    }
  }
  return rows;
}

function planWay(
  { bundle, fleet, privacy }: WaysRoom,
  solver: SolverName,
  floor: number,
): Promise<PlanView | undefined> {
  const { unpruned } = bundle.manifest.accuracy;
  const request = completeRequest({
    deadline: 3600,
    accuracyFloor: Math.max(0, unpruned - floor),
    levels: 'certified',
    privacy,
    weights: { time: 1, energy: 0, accuracy: 0, per: 'local' },
  });
  return new Replanner(bundle.manifest, fleet, { request, solver }).plan();
}

async function run({ requester, inputs, accuracyAt }: WaysRoom, view: PlanView): Promise<WayRow['found']> {
  const accuracy = await accuracyAt(view.levels);
  await requester.warm(view);
  const seconds: number[] = [];
  // The first is not counted: what runs for the first time is compiled.
  for (const [at, input] of [must(inputs[0], 'an input'), ...inputs].entries()) {
    const answer = await requester.infer(input, view);
    if (at > 0) seconds.push(answer.seconds);
  }
  const devices = new Set(view.stages.flatMap(({ segments }) => segments.map(({ device }) => device)));
  return {
    levels: view.levels,
    devices: devices.size,
    planned: view.latency,
    measured: median(seconds),
    accuracy,
  };
}
