// A plan for people and programs: names, levels of the bundle and channels instead of indices.
import { findVariant } from '../../bundle/internal.ts';
import { must } from '../../util/index.ts';
import type { PlanningProblem } from '../problem/build-instance.ts';
import { choiceIndex } from '../problem/choice.ts';
import { sentBytes } from '../problem/cost.ts';
import type { PlanningInstance, StageDecision } from '../problem/instance.ts';
import { type LevelChoice, levelVector } from '../problem/level-space.ts';
import {
  type Precision,
  precisionOf,
  roundsAnything,
  type Wire,
  wireOf,
  withoutPrecision,
} from '../problem/precision.ts';
import { outputChannels, type Segment, segmentsOf } from '../problem/segments.ts';
import { checkPlan, type PlanCheck, type Violation } from './check-plan.ts';

/** One stage of a plan. Seconds, bytes. */
export interface StageView {
  readonly index: number;
  /** Level of the groups that its output carries; 0 where it carries none. */
  readonly level: number;
  /** What it computes in. */
  readonly precision: Precision;
  /**
   * What its input travels as where it comes from another device, and the bytes that cross links for it. `integers`: the
   * network's input, as the integers that it is made of exactly.
   */
  readonly wire: Wire | 'integers';
  readonly bytes: number;
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
  /** The device that has the input and wants the result. */
  readonly source: string;
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
  const { manifest, fleet, instance, space, ahead } = problem;
  const check = checkPlan(instance, decisions);
  const own = decisions.slice(ahead);
  const choices = own.map(
    (decision, l): LevelChoice => ({
      in: l === 0 ? 0 : must(own[l - 1], 'a decision').level,
      inner: decision.inner,
      out: decision.level,
    }),
  );
  const levels = levelVector(
    manifest,
    space,
    choices.map((choice, l) => withoutPrecision(must(instance.stages[l + ahead], 'a stage'), choice)),
  );
  const variant = findVariant(manifest, levels);
  const stages = own.map((_, l) =>
    viewStage(problem, check, levels, must(choices[l], 'a choice'), decisions, l),
  );
  const certified = problem.request.levels === 'certified' && variant !== undefined;
  // With some stages in eight bits the accuracy is predicted, from the variant's and from what they lose.
  const accuracy =
    certified && !roundsAnything(stages)
      ? must(manifest.variants[variant], 'a variant').accuracy
      : check.accuracy;
  return {
    source: must(fleet.devices[fleet.source], 'the source').name,
    latency: check.latency,
    energy: check.energy,
    accuracy,
    objective: check.objective,
    result: check.result,
    levels,
    variant: findVariant({ variants: manifest.allVariants ?? manifest.variants }, levels) ?? null,
    stages,
    devices: fleet.devices.map((device, d) => {
      const { weightBytes, activationBytes, energy } = must(check.devices[d], `device ${d}`);
      const resident = device.resident.includes(manifest.name);
      const { name, memory } = device;
      return { name, weightBytes, activationBytes, memory, energy, toLoad: resident ? 0 : weightBytes };
    }),
    violations: check.violations.map((violation) =>
      violation.stage === undefined ? violation : { ...violation, stage: violation.stage - ahead },
    ),
  };
}

function viewStage(
  { manifest, fleet, instance, ahead }: PlanningProblem,
  check: PlanCheck,
  levels: readonly number[],
  choice: LevelChoice,
  decisions: readonly StageDecision[],
  l: number,
): StageView {
  const place = l + ahead;
  const stage = must(instance.stages[place], `stage ${l}`);
  const devices = setAt(instance, decisions, place);
  const { start, end, members } = must(check.stages[place], `stage ${l}`);
  const slowest = members.reduce((worst, member) => (total(member) > total(worst) ? member : worst));
  const at = choiceIndex(stage, choice.in, choice.inner, choice.out);
  const name = (device: number): string => must(fleet.devices[device], `device ${device}`).name;
  const bundled = must(manifest.stages[l], `stage ${l}`);
  const [carried] = bundled.outputShares;
  const { wait, transfer, compute } = slowest;
  return {
    index: l,
    level: carried ? must(levels[carried.group], 'a level') : 0,
    precision: precisionOf(stage, choice.inner),
    ...arrived(instance, decisions, place, manifest.model.input.integers !== undefined),
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

/** What crosses links into a stage. */
function arrived(
  instance: PlanningInstance,
  decisions: readonly StageDecision[],
  l: number,
  madeOfIntegers: boolean,
): Pick<StageView, 'wire' | 'bytes'> {
  const before = instance.stages[l - 1];
  if (!before) return { wire: 'float32', bytes: 0 };
  const { level } = must(decisions[l - 1], 'a decision');
  const [from, to] = [setAt(instance, decisions, l - 1), setAt(instance, decisions, l)];
  const hops = from.reduce((sum, d) => sum + to.filter((e) => e !== d).length, 0);
  const asIntegers = before.isInput === true && madeOfIntegers && hops > 0;
  return {
    wire: asIntegers ? 'integers' : wireOf(before, level),
    bytes: hops * sentBytes(before, level, from.length),
  };
}

function setAt(
  { stages }: PlanningInstance,
  decisions: readonly StageDecision[],
  l: number,
): readonly number[] {
  const { set } = must(decisions[l], `decision of stage ${l}`);
  return must(stages[l]?.sets[set], `set of stage ${l}`);
}

function total({ wait, transfer, compute }: PlanCheck['stages'][number]['members'][number]): number {
  return wait + transfer + compute;
}
