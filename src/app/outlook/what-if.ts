// What would be planned if a device or a link were different, beside what is planned as they are. Nothing is changed by it.
import type { BundleManifest } from '../../bundle/index.ts';
import { buildProblem, diagnose, type PlanningProblem, viewPlan } from '../../plan/index.ts';
import { devicesOf } from '../../run/internal.ts';
import { messageOf } from '../../util/index.ts';
import type { PlanTotals } from '../plan/baselines.ts';
import { anyPlan, plannerOf, type SolverName } from '../planners.ts';
import { onlyLevels } from '../run/only-levels.ts';
import type { Moment } from './compare-plans.ts';
import { editedFleet, type FleetEdit } from './fleet-edit.ts';

/** A plan for people: its figures, and who would compute what. */
export interface Forecast extends PlanTotals {
  readonly levels: readonly number[] | null;
  /** Index of the measured variant that it is, if it is one. */
  readonly variant: number | null;
  readonly devices: readonly string[];
  readonly stages: readonly {
    readonly index: number;
    readonly devices: readonly string[];
    /** Seconds from the request. */
    readonly start: number;
    readonly end: number;
  }[];
  /** Why there is no plan, and what would help; undefined where there is one. */
  readonly refused?: string | undefined;
}

/** As devices are, and as they would be. */
export interface WhatIf {
  readonly now: Forecast;
  readonly changed: Forecast;
}

/** Seconds for one plan, and for finding out what would help. */
const PLAN_SECONDS = 2;
const DIAGNOSIS_SECONDS = 1;

/**
 * Plans a moment as it is, and with differences.
 * @throws BedsideError E_REQUEST as `editedFleet`; as `buildProblem`
 */
export async function whatIf(
  manifest: BundleManifest,
  moment: Moment,
  edit: FleetEdit,
  solver: SolverName,
): Promise<WhatIf> {
  const fleet = editedFleet(moment.fleet, edit);
  return {
    now: await forecast(manifest, moment, solver),
    changed: await forecast(manifest, { ...moment, fleet }, solver),
  };
}

async function forecast(
  manifest: BundleManifest,
  { fleet, request, levels }: Moment,
  solver: SolverName,
): Promise<Forecast> {
  const problem = buildProblem(levels ? onlyLevels(manifest, levels) : manifest, fleet, request);
  const options = { seconds: PLAN_SECONDS };
  const { decisions } = await plannerOf(solver).plan(problem.instance, options);
  const found = decisions ?? (await plannerOf('beam').plan(problem.instance, options)).decisions;
  const view = found && viewPlan(problem, found);
  if (!view || view.violations.length > 0) return { ...NONE, refused: await reasonOf(problem) };
  const { objective, latency, energy, accuracy } = view;
  return {
    ...{ objective, latency, energy, accuracy, levels: view.levels },
    // Of restricted levels the index would be that in the restricted list.
    variant: variantOf(manifest, view.levels),
    devices: devicesOf(view),
    stages: view.stages.map(({ index, segments, start, end }) => ({
      ...{ index, start, end },
      devices: segments.map(({ device }) => device),
    })),
  };
}

const NONE = {
  ...{ objective: null, latency: null, energy: null, accuracy: null },
  ...{ levels: null, variant: null, devices: [], stages: [] },
} satisfies Forecast;

function variantOf({ variants }: BundleManifest, levels: readonly number[]): number | null {
  const index = variants.findIndex((variant) => variant.levels.join() === levels.join());
  return index < 0 ? null : index;
}

async function reasonOf(problem: PlanningProblem): Promise<string> {
  const end = performance.now() + 1000 * DIAGNOSIS_SECONDS;
  try {
    return (await diagnose(problem, anyPlan, () => performance.now() > end)).text;
  } catch (error) {
    return `no plan keeps all limits (${messageOf(error)})`;
  }
}
