// Simulates a ward: planners answer the same requests in the same changing world.
import { fileURLToPath } from 'node:url';
import type { Bundle, BundleManifest } from '../../bundle/index.ts';
import type { BundleMeasure } from '../../bundle/internal.ts';
import type { Fleet } from '../../plan/index.ts';
import {
  type DecisionTimeKind,
  parseTrace,
  type RequestOutcome,
  replayScenario,
  runScenario,
  type Scenario,
  summarise,
  type WardParameters,
  type WardPreset,
  type WardSummary,
  wardPreset,
  wardScenario,
} from '../../simulate/index.ts';
import { assertWritable, BedsideError } from '../../util/index.ts';
import { readTextChecked } from '../../util/internal.ts';
import { loadBundle } from '../bundle/open-bundle.ts';
import { fleetFrom } from '../plan/fleet-source.ts';
import { type Journal, journalOf, type Reporter, type Said } from '../reporter.ts';
import { recording } from './recording.ts';
import { type SimulatedSolver, strategyOf } from './strategies.ts';

/** Requests, unless the options or a trace say otherwise. */
export const DEFAULT_SIMULATED_REQUESTS = 1000;

/** The planners that take part, unless the options say otherwise. */
export const DEFAULT_SIMULATED_SOLVERS = [
  'policy',
  'beam',
  'static',
  'local',
] as const satisfies readonly SimulatedSolver[];

/** A world, its requests and the planners that meet them. */
export interface SimulateOptions {
  /** The preset, which says what changes and by how much; `ward` by default. */
  readonly preset?: WardPreset | undefined;
  /** The devices, as a file or a fleet; the preset's own if absent. */
  readonly fleet?: Fleet | string | undefined;
  /** File of a recorded ward, instead of a generated one. */
  readonly replay?: string | undefined;
  /** File for the trace of the first planner's episode. */
  readonly record?: string | undefined;
  /** `DEFAULT_SIMULATED_SOLVERS` if absent. */
  readonly solvers?: readonly SimulatedSolver[] | undefined;
  /** File of a policy that `train` wrote; the shipped one if absent. */
  readonly policy?: string | undefined;
  /** Those of the trace if absent, otherwise `DEFAULT_SIMULATED_REQUESTS`. */
  readonly requests?: number | undefined;
  /** Requests a second; the preset's if absent. */
  readonly rate?: number | undefined;
  /** Any level of each group, by the accuracy model, or measured variants alone. */
  readonly levels?: 'free' | 'certified' | undefined;
  /** How the time of a decision counts; `counted` by default, so that runs repeat exactly. */
  readonly decisionTime?: DecisionTimeKind | undefined;
  /** 1 by default. */
  readonly seed?: number | undefined;
  /** Once aborted, the simulation stops after the request that runs. */
  readonly signal?: AbortSignal | undefined;
}

/** One planner's summary. */
export interface SimulatedRow extends WardSummary {
  readonly solver: SimulatedSolver;
  /** How far its mean objective is above that of `exact`, relative; null if `exact` took no part. */
  readonly toExact: number | null;
}

/** One planner's requests, in the order in which they ended. */
export interface SimulatedEpisode {
  readonly solver: SimulatedSolver;
  readonly outcomes: readonly RequestOutcome[];
}

/** The results of the planners. */
export interface SimulateResult extends Said {
  /** The world in a few words. */
  readonly place: string;
  /** The bundles' names. */
  readonly bundles: readonly string[];
  /** What accuracy is for each bundle. */
  readonly measures: readonly BundleMeasure[];
  readonly requests: number;
  readonly seed: number;
  readonly decisionTime: DecisionTimeKind;
  /** False if it was stopped early. */
  readonly finished: boolean;
  readonly rows: readonly SimulatedRow[];
  readonly episodes: readonly SimulatedEpisode[];
}

/**
 * Simulates a ward with each planner in turn. Every plan is checked before it runs, and runs in the world as it then becomes.
 * @param bundles folders or opened bundles, each of another name; requests are for any of them
 * @throws BedsideError E_USAGE for a trace together with a fleet or a recording, and for two bundles of one name; E_FLEET,
 *   E_TRACE; E_OUTPUT if the recording cannot be written
 */
export async function simulate(
  bundles: readonly (Bundle | string)[],
  options: SimulateOptions = {},
  reporter?: Reporter | Journal,
): Promise<SimulateResult> {
  const journal = journalOf(reporter);
  const { solvers = DEFAULT_SIMULATED_SOLVERS, record, signal } = options;
  const { seed = 1, decisionTime = 'counted', policy } = options;
  assertOneWorld(options);
  if (record !== undefined) await assertWritable(record);
  const manifests = await Promise.all(
    bundles.map(async (bundle) => (await loadBundle(bundle, journal)).manifest),
  );
  assertDistinct(manifests);
  const { scenario, requests, place } = await scenarioOf(manifests, options, seed);
  const episodes: SimulatedEpisode[] = [];
  for (const solver of solvers) {
    if (signal?.aborted) break;
    const taped = episodes.length === 0 && record !== undefined ? recording(scenario, record) : undefined;
    const task = `simulating ${solver}`;
    const outcomes = await journal.during(task, (progress) =>
      runScenario(taped?.scenario ?? scenario, strategyOf(solver, { decisionTime, seed, policy }), {
        ...{ requests, signal },
        onProgress: (done) => progress.update(done, requests),
      }),
    );
    await taped?.end();
    episodes.push({ solver, outcomes });
  }
  return {
    ...{
      place,
      bundles: manifests.map(({ name }) => name),
      measures: manifests.map(({ accuracy }) => accuracy.measure),
      requests,
      seed,
      decisionTime,
    },
    finished: !signal?.aborted,
    rows: rowsOf(episodes),
    episodes,
    ...journal.said(),
  };
}

function rowsOf(episodes: readonly SimulatedEpisode[]): SimulatedRow[] {
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
  readonly place: string;
}

async function scenarioOf(
  bundles: readonly BundleManifest[],
  options: SimulateOptions,
  seed: number,
): Promise<ChosenScenario> {
  const { preset = 'ward', fleet: source, replay, levels } = options;
  const parameters = withRate(wardPreset(preset), options.rate);
  if (replay !== undefined) {
    const trace = parseTrace(await readTextChecked(replay, 'trace'), `trace ${replay}`);
    const scenario = replayScenario(trace, bundles, {
      requests: parameters.requests,
      seed,
      request: { levels },
    });
    const recordedRequests = trace.requests.length;
    const wanted = options.requests ?? (recordedRequests > 0 ? recordedRequests : DEFAULT_SIMULATED_REQUESTS);
    const requests = recordedRequests > 0 ? Math.min(wanted, recordedRequests) : wanted;
    return { scenario, requests, place: `replay of ${replay}` };
  }
  const fleet = await fleetFrom(source ?? presetFleet(preset));
  return {
    scenario: wardScenario({ fleet, parameters, seed }, bundles, { levels }),
    requests: options.requests ?? DEFAULT_SIMULATED_REQUESTS,
    place: source === undefined ? preset : `${fleet.name}, moving as ${preset}`,
  };
}

/** The example fleet of a preset; the same place from `src` and from `dist`. */
function presetFleet(preset: WardPreset): string {
  return fileURLToPath(new URL(`../../../examples/fleets/${preset}.json`, import.meta.url));
}

function withRate(parameters: WardParameters, perSecond: number | undefined): WardParameters {
  if (perSecond === undefined) return parameters;
  return { ...parameters, requests: { ...parameters.requests, perSecond } };
}

function assertOneWorld({ fleet, replay, record }: SimulateOptions): void {
  if (replay === undefined || (fleet === undefined && record === undefined)) return;
  const other = fleet === undefined ? 'a recording' : 'a fleet';
  throw new BedsideError('E_USAGE', `a replayed trace cannot be combined with ${other}`, {
    hint: 'a trace has its own fleets',
  });
}

/** Requests and traces name bundles. */
function assertDistinct(bundles: readonly BundleManifest[]): void {
  const all = bundles.map(({ name }) => name);
  const twice = all.find((name, index) => all.indexOf(name) !== index);
  if (twice === undefined) return;
  throw new BedsideError('E_USAGE', `two of the bundles are named '${twice}'`, {
    hint: 'pack one of them again with another --name',
  });
}
