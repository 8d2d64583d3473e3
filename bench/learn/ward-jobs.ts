// What the study of the moving ward runs: a place, a planner, how many requests, how often they come.
import { fileURLToPath } from 'node:url';
import { type SimulatedSolver, strategyOf } from '../../src/app/index.ts';
import type { BundleManifest } from '../../src/bundle/index.ts';
import { parseFleet } from '../../src/plan/index.ts';
import {
  runScenario,
  type Scenario,
  summarise,
  type WardPreset,
  type WardSummary,
  wardPreset,
  wardScenario,
} from '../../src/simulate/index.ts';
import { readFileChecked } from '../../src/util/internal.ts';
import { sharedBundle } from '../lib/bundles.ts';
import { processorSeconds } from '../lib/figures.ts';

/** One episode. */
export interface WardJob {
  readonly preset: WardPreset;
  readonly solver: SimulatedSolver;
  readonly requests: number;
  /** Times the preset's requests a second. */
  readonly rate: number;
  readonly seed: number;
}

/** What it gave, and the seconds of processor time that it took. */
export interface WardResult {
  readonly job: WardJob;
  readonly summary: WardSummary;
  readonly seconds: number;
}

/** Networks that requests of a place are for: a chest band at home has no images. */
export function bundlesOf(preset: WardPreset): readonly string[] {
  return preset === 'home'
    ? ['ecg-resnet1d']
    : ['ecg-resnet1d', 'medical-mnist-vgg16', 'medical-mnist-resnet18'];
}

const manifests = new Map<string, Promise<BundleManifest>>();

function manifestOf(name: string): Promise<BundleManifest> {
  const found = manifests.get(name) ?? sharedBundle(name).then(({ manifest }) => manifest);
  manifests.set(name, found);
  return found;
}

async function scenarioOf({ preset, rate, seed }: WardJob): Promise<Scenario> {
  const path = fileURLToPath(new URL(`../../examples/fleets/${preset}.json`, import.meta.url));
  const fleet = parseFleet(new TextDecoder().decode(await readFileChecked(path, 'fleet')), path);
  const parameters = wardPreset(preset);
  const { requests } = parameters;
  const spec = {
    fleet,
    parameters: { ...parameters, requests: { ...requests, perSecond: requests.perSecond * rate } },
    seed,
  };
  return wardScenario(spec, await Promise.all(bundlesOf(preset).map(manifestOf)));
}

/** Runs an episode. */
export async function runWardJob(job: WardJob): Promise<WardResult> {
  const scenario = await scenarioOf(job);
  const before = processorSeconds();
  const outcomes = await runScenario(
    scenario,
    strategyOf(job.solver, { decisionTime: 'counted', seed: job.seed }),
    {
      requests: job.requests,
    },
  );
  return { job, summary: summarise(outcomes), seconds: processorSeconds() - before };
}

/** The job in a few words. */
export function tellJob({ preset, solver, requests, rate }: WardJob): string {
  return `${preset} ${solver}, ${requests} requests at ${rate} of the rate`;
}
