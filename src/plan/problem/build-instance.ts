// Turns a bundle, a fleet and a request into a planning problem in numbers.
import { type BundleManifest, stageCosts } from '../../bundle/index.ts';
import { type StageCosts, secondsAtMacs } from '../../bundle/internal.ts';
import { BedsideError, must } from '../../util/index.ts';
import type { Fleet, FleetDevice } from '../input/fleet.ts';
import { maxSeenOf, type PlanRequest } from '../input/request.ts';
import { type ChoiceSizes, innerOf, levelInOf, levelOutOf } from './choice.ts';
import { candidateSets } from './device-sets.ts';
import { eightBitTables } from './eight-bit.ts';
import { inputStage, type StagesAhead, stagesAhead, withInputStage } from './input-stage.ts';
import type { DeviceInstance, PlanningInstance, StageInstance } from './instance.ts';
import { certifiedLevels, freeLevels, type LevelChoice, type LevelSpace } from './level-space.ts';
import { measuredRows } from './measured-rows.ts';
import type { PlannedBundle } from './planned-bundle.ts';
import { secondsWithPrecisions, withPrecisions } from './precision.ts';
import { outputChannels } from './segments.ts';
import { FLOOR_TOLERANCE } from './tolerances.ts';

/** A planning problem with the bundle, fleet and request that it was made from. */
export interface PlanningProblem {
  readonly manifest: PlannedBundle;
  readonly fleet: Fleet;
  readonly request: PlanRequest;
  readonly space: LevelSpace;
  readonly instance: PlanningInstance;
  /** Stages of the instance before the bundle's first. */
  readonly ahead: StagesAhead;
  /** Least accuracy of a plan. The instance's own floor can differ, because it is on the accuracy grid. */
  readonly accuracyFloor: number;
}

/** How many sets of devices a stage has. */
export interface BuildOptions {
  readonly pairs?: number | undefined;
  readonly quads?: number | undefined;
}

/** Sets of two and of four for each stage, beside all single devices. */
export const DEFAULT_SETS = { pairs: 12, quads: 8 } as const;

/** Steps of the accuracy grid for each stage: rounding up wastes at most a twentieth of what may be lost. */
const STEPS_PER_STAGE = 20;
const LEAST_UNIT = 1e-7;

/**
 * The planning problem of one request. Units: seconds, bytes, joules, multiply-accumulates, nats; for one sample.
 * @throws BedsideError E_BUNDLE for a bundle without costs; E_REQUEST when `maxSeen` does not fit the stages; E_FLEET
 *   when a device's measured seconds do not fit the bundle
 */
export function buildProblem(
  manifest: PlannedBundle,
  fleet: Fleet,
  request: PlanRequest,
  options: BuildOptions = {},
): PlanningProblem {
  return problemsOf(manifest, request, options)(fleet);
}

/** Makes the problem of a request on a fleet. `deadline`, in seconds, overrides the request's. */
export type ProblemMaker = (fleet: Fleet, deadline?: number) => PlanningProblem;

/**
 * Problems of one request on many fleets, or on one that changes. Everything that does not depend on the fleet is
 * computed once.
 * @throws BedsideError as `buildProblem`; what concerns the fleet, when it is given
 */
export function problemsOf(
  manifest: PlannedBundle,
  request: PlanRequest,
  options: BuildOptions = {},
): ProblemMaker {
  assertCosts(manifest);
  const maxSeen = checkedMaxSeen(request, manifest);
  const accuracyFloor =
    request.accuracyFloor ?? Math.max(0, manifest.accuracy.unpruned - request.accuracyDrop);
  const space = levelSpace(manifest, request, accuracyFloor);
  const float32 = manifest.stages.map((_, stage) => stageTable(manifest, space, stage));
  const tables = request.precision === 'float32' ? float32 : withEightBit(manifest, space, float32);
  const grid = accuracyGrid(space, tables, request, accuracyFloor);
  const { inputBytes } = stageCosts(
    manifest,
    0,
    manifest.groups.map(() => 0),
  );
  const ahead = stagesAhead(request);
  return (fleet, deadline = request.deadline) => {
    const devices = fleet.devices.map((device) => deviceInstance(manifest, device, tables));
    const stages = tables.map((table, l) => ({
      ...table.stage,
      maxSeen: must(maxSeen[l], 'maxSeen'),
      sets: stageSets({ manifest, tables, maxSeen, options, ahead }, fleet, devices, l),
    }));
    const instance: PlanningInstance = {
      stages: ahead === 1 ? [inputStage(manifest, fleet.source), ...stages] : stages,
      devices: ahead === 1 ? devices.map(withInputStage) : devices,
      bandwidth: fleet.bandwidth.map((row) => Float64Array.from(row)),
      latency: fleet.latency.map((row) => Float64Array.from(row)),
      sharedChannel: fleet.sharedChannel,
      source: fleet.source,
      deadline,
      inputBytes,
      unprunedAccuracy: space.unprunedAccuracy,
      ...grid,
      weights: objectiveWeights(fleet, devices, tables, request),
    };
    return { manifest, fleet, request: { ...request, deadline }, space, instance, ahead, accuracyFloor };
  };
}

/** One stage in numbers, and the costs they are from. */
interface StageTable {
  readonly stage: Omit<StageInstance, 'maxSeen' | 'sets'>;
  /** By float32 choice. */
  readonly costs: readonly (StageCosts | undefined)[];
  /** By float32 choice, of the eight-bit form; absent where no stage has one. */
  readonly eightBit?: readonly (StageCosts | undefined)[] | undefined;
  /** With every group at each level of the bundle. */
  readonly uniform: readonly StageCosts[];
}

/** A position in a stage's arrays as a choice. */
export function choiceAt(sizes: ChoiceSizes, index: number): LevelChoice {
  return { in: levelInOf(sizes, index), inner: innerOf(sizes, index), out: levelOutOf(sizes, index) };
}

function stageTable(manifest: BundleManifest, space: LevelSpace, l: number): StageTable {
  const bundled = must(manifest.stages[l], `stage ${l}`);
  const sizes = {
    levelsIn: must(space.cuts[l], `cut ${l}`),
    inner: must(space.inner[l], `inner choices of stage ${l}`),
    levelsOut: must(space.cuts[l + 1], `cut ${l + 1}`),
  };
  const { length } = Array.from({ length: sizes.levelsIn * sizes.inner * sizes.levelsOut });
  const array = () => new Float64Array(length);
  const table = { macs: array(), weightBytes: array(), activationBytes: array(), loss: array() };
  const allowed = new Uint8Array(length);
  const outputBytes = new Float64Array(sizes.levelsOut);
  const costs: (StageCosts | undefined)[] = [];
  const vector = manifest.groups.map(() => 0);
  for (let index = 0; index < length; index++) {
    const choice = choiceAt(sizes, index);
    const levels = space.levels(l, choice);
    costs.push(undefined);
    if (!levels) continue;
    vector.fill(0);
    for (const [group, level] of levels) vector[group] = level;
    const cost = stageCosts(manifest, l, vector);
    costs[index] = cost;
    allowed[index] = 1;
    table.macs[index] = cost.macs;
    table.weightBytes[index] = cost.weightBytes;
    table.activationBytes[index] = cost.activationBytes;
    table.loss[index] = Math.max(0, space.loss(l, choice));
    outputBytes[choice.out] = cost.outputBytes;
  }
  const uniform = manifest.ratios.map((_, level) =>
    stageCosts(
      manifest,
      l,
      manifest.groups.map(() => level),
    ),
  );
  const stage = { name: `stage${l}`, ...sizes, allowed, ...table, outputBytes, split: bundled.split };
  return { stage, costs, uniform };
}

/** Tables whose stages have their eight-bit forms among their choices. */
function withEightBit(
  manifest: BundleManifest,
  space: LevelSpace,
  tables: readonly StageTable[],
): readonly StageTable[] {
  const eightBit = eightBitTables(
    manifest,
    space,
    tables.map(({ stage, costs, uniform }) => ({
      uniform: uniform.map(({ macs }) => macs),
      choices: costs.map((_, index) => choiceAt(stage, index)),
      costs,
      outputBytes: stage.outputBytes,
    })),
  );
  if (!eightBit) return tables;
  const stages = withPrecisions(
    tables.map(({ stage }) => stage),
    eightBit.map(({ added }) => added),
  );
  return tables.map((table, l) => ({
    ...table,
    stage: must(stages[l], 'a stage'),
    eightBit: eightBit[l]?.costs,
  }));
}

/** Levels that may be chosen; certified ones above the floor, or all when none is, which then is infeasible. */
function levelSpace(manifest: BundleManifest, request: PlanRequest, floor: number): LevelSpace {
  if (request.levels === 'free') return freeLevels(manifest);
  const all = manifest.variants.map((_, index) => index);
  const enough = all.filter((index) => (manifest.variants[index]?.accuracy ?? 0) >= floor);
  return certifiedLevels(manifest, enough.length > 0 ? enough : all);
}

/**
 * The step of the accuracy grid, and a floor to go with it: of free levels the request's, unless it is so low that no
 * choice breaks it; of variants, which were measured, one that none of those above the request's breaks by rounding.
 */
function accuracyGrid(
  space: LevelSpace,
  tables: readonly StageTable[],
  request: PlanRequest,
  floor: number,
): { accuracyFloor: number; lossUnit: number } {
  const most = tables.reduce((sum, { stage }) => sum + Math.max(...stage.loss), 0);
  const budget = Math.min(most, Math.log(space.unprunedAccuracy / floor));
  const lossUnit = Math.max(LEAST_UNIT, budget / (STEPS_PER_STAGE * tables.length));
  const never = space.unprunedAccuracy * Math.exp(-most - tables.length * lossUnit);
  if (request.levels === 'free') return { accuracyFloor: Math.max(floor, never), lossUnit };
  const worst = space.unprunedAccuracy * Math.exp(-most);
  return { accuracyFloor: worst >= floor * (1 - FLOOR_TOLERANCE) ? never : floor, lossUnit };
}

function deviceInstance(
  manifest: BundleManifest,
  device: FleetDevice,
  tables: readonly StageTable[],
): DeviceInstance {
  const { name, macsPerSecond, memory, energy, trusted, wait } = device;
  const { joulesPerMac, joulesPerByteSent, joulesPerByteReceived } = device;
  const rows = measuredRows(manifest, device, device.seconds);
  const own = {
    name,
    speed: macsPerSecond,
    seconds: tables.map(({ costs, uniform }, l) => secondsOf(costs, uniform, rows?.[l], device.speed)),
    memory,
    energy,
    joulesPerMac,
    joulesPerByteSent,
    joulesPerByteReceived,
    trusted,
    wait,
  };
  if (!tables.some(({ eightBit }) => eightBit)) return own;
  const eightRows = measuredRows(manifest, device, device.secondsInt8);
  const eight = tables.map((table, l) => {
    const { eightBit = [], uniform, costs } = table;
    const row = eightRows?.[l];
    if (row || device.int8Speed === undefined) return secondsOf(eightBit, uniform, row, device.speed);
    const factor = device.int8Speed;
    return Float64Array.from(
      costs,
      (cost, c) => (own.seconds[l]?.[c] ?? (cost?.macs ?? 0) / own.speed) / factor,
    );
  });
  return secondsWithPrecisions(
    tables.map(({ stage }) => stage),
    own,
    eight,
  );
}

/** By choice: what the device measured, otherwise the bundle's times scaled; undefined where neither is known. */
function secondsOf(
  costs: readonly (StageCosts | undefined)[],
  uniform: readonly StageCosts[],
  row: readonly number[] | undefined,
  speed: number | undefined,
): Float64Array | undefined {
  if (row) {
    const macs = uniform.map((cost) => cost.macs);
    return Float64Array.from(costs, (cost) => (cost ? secondsAtMacs(macs, row, cost.macs) : 0));
  }
  const known = costs.some((cost) => cost) && !costs.some((cost) => cost && cost.seconds === undefined);
  if (speed === undefined || !known) return undefined;
  return Float64Array.from(costs, (cost) => (cost?.seconds ?? 0) / speed);
}

/** What candidate sets depend on beside the fleet. */
interface SetInputs {
  readonly manifest: BundleManifest;
  readonly tables: readonly StageTable[];
  readonly maxSeen: readonly number[];
  readonly options: BuildOptions;
  readonly ahead: StagesAhead;
}

function stageSets(
  { manifest, tables, maxSeen, options, ahead }: SetInputs,
  fleet: Fleet,
  devices: readonly DeviceInstance[],
  l: number,
): readonly (readonly number[])[] {
  if (l === 0 && ahead === 0) return [[fleet.source]];
  const { stage, uniform } = must(tables[l], `stage ${l}`);
  // A device sees the whole input of its stage, and of the output what it makes; a partial sum counts as the whole.
  const inputSeen = maxSeen[l - 1] ?? 0;
  const legal = (device: number, size: number): boolean => {
    if (devices[device]?.trusted) return true;
    const share = stage.split === 'outputs' ? 1 / size : 1;
    return inputSeen >= 1 && share <= (maxSeen[l] ?? 0);
  };
  const fewest = Math.min(
    ...manifest.ratios.map((_, level) =>
      outputChannels(
        manifest,
        l,
        manifest.groups.map(() => level),
      ),
    ),
  );
  return candidateSets({
    devices: devices.map((device) => ({
      trusted: device.trusted,
      seconds: secondsUnpruned(device, tables, l),
    })),
    bandwidth: fleet.bandwidth,
    source: fleet.source,
    inputBytes: uniform[0]?.inputBytes ?? 0,
    legal,
    // An input is sent to one device.
    most: l === 0 || stage.split === 'none' ? 1 : fewest,
    pairs: options.pairs ?? DEFAULT_SETS.pairs,
    quads: options.quads ?? DEFAULT_SETS.quads,
  });
}

/** Of a whole stage on one device: choice 0 is unpruned, except among variants, where it is the first of them. */
function secondsUnpruned(device: DeviceInstance, tables: readonly StageTable[], l: number): number {
  const table = must(tables[l], `stage ${l}`);
  const macs = table.uniform[0]?.macs ?? 0;
  const first = table.stage.allowed.indexOf(1);
  return device.seconds?.[l]?.[first] ?? macs / device.speed;
}

/** Weights per second and joule. `local`: counted in what the unpruned network takes on the source alone. */
function objectiveWeights(
  fleet: Fleet,
  devices: readonly DeviceInstance[],
  tables: readonly StageTable[],
  request: PlanRequest,
): PlanningInstance['weights'] {
  const { time, energy, accuracy, per } = request.weights;
  if (per === 'unit') return { time, energy, accuracy };
  const source = must(devices[fleet.source], 'the source');
  const seconds = tables.reduce((sum, _, l) => sum + secondsUnpruned(source, tables, l), 0);
  const macs = tables.reduce((sum, { uniform }) => sum + (uniform[0]?.macs ?? 0), 0);
  const joules = macs * source.joulesPerMac;
  return { time: time / seconds, energy: joules > 0 ? energy / joules : 0, accuracy };
}

function assertCosts(manifest: BundleManifest): void {
  const without = manifest.stages.find(
    ({ index, otherMacs = 0 }) =>
      otherMacs === 0 && !manifest.layers.some((layer) => layer.stage === index && layer.macs > 0),
  );
  if (!without && manifest.stages.length > 0 && manifest.accuracy.unpruned > 0) return;
  const what = without
    ? `no multiply-accumulates for stage ${without.index} (${without.output})`
    : manifest.stages.length === 0
      ? 'no stages'
      : 'an unpruned accuracy of 0';
  throw new BedsideError('E_BUNDLE', `bundle '${manifest.name}' cannot be planned: it has ${what}`, {
    hint: 'make it again with `bedside pack`, which measures costs and accuracy',
  });
}

function checkedMaxSeen(request: PlanRequest, manifest: BundleManifest): number[] {
  const stages = manifest.stages.length;
  if (request.maxSeen && request.maxSeen.length !== stages) {
    throw new BedsideError(
      'E_REQUEST',
      `maxSeen has ${request.maxSeen.length} shares, but bundle '${manifest.name}' has ${stages} stages`,
      { hint: "give one share in [0, 1] for each stage, or a preset: privacy 'strict', 'late' or 'open'" },
    );
  }
  return maxSeenOf(request, stages);
}
