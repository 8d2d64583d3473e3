// A plan for people and programs: names, levels of the bundle and channels instead of indices.
import { must } from '../../util/index.ts';
import type { PlanningProblem } from '../problem/build-instance.ts';
import { choiceIndex } from '../problem/choice.ts';
import type { StageDecision } from '../problem/instance.ts';
import { type LevelChoice, levelVector } from '../problem/level-space.ts';
import { outputChannels, type Segment, segmentsOf } from '../problem/segments.ts';
import { checkPlan, type PlanCheck, type Violation } from './check-plan.ts';

/** One stage of a plan. Seconds, bytes. */
export interface StageView {
  readonly index: number;
  /** Level of the groups that its output carries; 0 where it carries none. */
  readonly level: number;
  /** Channels that each device computes: of the output, or for partial sums of those inside the stage. */
  readonly segments: readonly Segment[];
  /** Seconds from the request. */
  readonly start: number;
  readonly end: number;
  /** Seconds of the member that ends last. */
  readonly wait: number;
  readonly transfer: number;
  readonly compute: number;
  readonly members: readonly {
    readonly device: string;
    readonly wait: number;
    readonly transfer: number;
    readonly compute: number;
  }[];
  /** Bytes of the weights that each member holds, and of activations. */
  readonly weightBytes: number;
  readonly activationBytes: number;
}

/** One device under a plan. */
export interface DeviceView {
  readonly name: string;
  readonly weightBytes: number;
  readonly activationBytes: number;
  readonly memory: number;
  readonly energy: number;
  /** Bytes of weights that it must load first. */
  readonly toLoad: number;
}

/** A plan. Seconds, joules. */
export interface PlanView {
  readonly latency: number;
  readonly energy: number;
  readonly accuracy: number;
  readonly objective: number;
  /** Seconds for the result's way back to the source. */
  readonly result: number;
  /** Level of every group of the bundle. */
  readonly levels: readonly number[];
  /** Index of the measured variant that this is, if it is one. */
  readonly variant: number | null;
  readonly stages: readonly StageView[];
  readonly devices: readonly DeviceView[];
  readonly violations: readonly Violation[];
}

/** Describes decisions by names, levels and channels. */
export function viewPlan(problem: PlanningProblem, decisions: readonly StageDecision[]): PlanView {
  const { manifest, fleet, instance, space } = problem;
  const check = checkPlan(instance, decisions);
  const choices = decisions.map(
    (decision, l): LevelChoice => ({
      in: l === 0 ? 0 : must(decisions[l - 1], 'a decision').level,
      inner: decision.inner,
      out: decision.level,
    }),
  );
  const levels = levelVector(manifest, space, choices);
  const variant = manifest.variants.findIndex((v) => v.levels.every((level, g) => level === levels[g]));
  const stages = decisions.map((decision, l) =>
    viewStage(problem, check, levels, must(choices[l], 'a choice'), decision, l),
  );
  const certified = problem.request.levels === 'certified' && variant >= 0;
  const accuracy = certified ? must(manifest.variants[variant], 'a variant').accuracy : check.accuracy;
  return {
    latency: check.latency,
    energy: check.energy,
    accuracy,
    objective: check.objective,
    result: check.result,
    levels,
    variant: variant < 0 ? null : variant,
    stages,
    devices: fleet.devices.map((device, d) => {
      const { weightBytes, activationBytes, energy } = must(check.devices[d], `device ${d}`);
      const resident = device.resident.includes(manifest.name);
      const { name, memory } = device;
      return { name, weightBytes, activationBytes, memory, energy, toLoad: resident ? 0 : weightBytes };
    }),
    violations: check.violations,
  };
}

function viewStage(
  { manifest, fleet, instance }: PlanningProblem,
  check: PlanCheck,
  levels: readonly number[],
  choice: LevelChoice,
  decision: StageDecision,
  l: number,
): StageView {
  const stage = must(instance.stages[l], `stage ${l}`);
  const devices = must(stage.sets[decision.set], `set of stage ${l}`);
  const { start, end, members } = must(check.stages[l], `stage ${l}`);
  const slowest = members.reduce((worst, member) => (total(member) > total(worst) ? member : worst));
  const at = choiceIndex(stage, choice.in, choice.inner, choice.out);
  const name = (device: number): string => must(fleet.devices[device], `device ${device}`).name;
  const bundled = must(manifest.stages[l], `stage ${l}`);
  const [carried] = bundled.outputShares;
  const { wait, transfer, compute } = slowest;
  return {
    index: l,
    level: carried ? must(levels[carried.group], 'a level') : 0,
    segments: segmentsOf(devices.map(name), outputChannels(manifest, l, levels)),
    start,
    end,
    wait,
    transfer,
    compute,
    members: members.map((member) => ({ ...member, device: name(member.device) })),
    weightBytes: must(stage.weightBytes[at], 'weights') / devices.length,
    activationBytes: must(stage.activationBytes[at], 'activations'),
  };
}

function total({ wait, transfer, compute }: PlanCheck['stages'][number]['members'][number]): number {
  return wait + transfer + compute;
}
