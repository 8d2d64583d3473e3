// The features of a request: numbers of the request, of each stage, device, stage and device, link, candidate set and
// level. Each is a share without a unit, so that fleets and networks of any size look alike. Shares that span decades
// are logarithms. docs/policy.md lists them.
import {
  choiceIndex,
  type DeviceInstance,
  levelInOf,
  levelOutOf,
  lossSteps,
  mostSteps,
  type PlanningInstance,
  type StageInstance,
} from '../../plan/internal.ts';
import { grown } from './candidate-program.ts';
import { FEATURE_AT, FEATURES } from './feature-names.ts';
import { ChainRelaxation } from './relaxation.ts';
import { log, regret } from './scales.ts';
import { setFeatures } from './set-features.ts';

const { request: REQUEST, stage: STAGE, device: DEVICE, pair: PAIR, link: LINK, level: LEVEL } = FEATURE_AT;

/** The features of one request. Arrays are longer than they need to be; sizes say how far they are filled. */
export class Features {
  stages = 0;
  devices = 0;
  /** Sets a stage and levels a cut, at most. */
  sets = 0;
  levels = 0;
  request = new Float32Array(FEATURES.request);
  /** `[stage, feature]` and so on, dense. */
  stage = new Float32Array(0);
  device = new Float32Array(0);
  pair = new Float32Array(0);
  link = new Float32Array(0);
  set = new Float32Array(0);
  level = new Float32Array(0);
  /** `[stage, set, device]`: 1 / size for members. */
  members = new Float32Array(0);
  /** `[stage * sets + s]`: 1 where the set may run the stage; `[stage * levels + p]`: 1 where the level exists. */
  setLegal = new Uint8Array(0);
  levelLegal = new Uint8Array(0);
  /** The objective's part for time and energy of a rough plan: the unit of prices and values. */
  unit = 1;
  /** Most steps of loss, as plan/problem/cost.ts has it. */
  most = 0;
  readonly relaxation = new ChainRelaxation();

  load(instance: PlanningInstance): void {
    const { stages, devices } = instance;
    this.stages = stages.length;
    this.devices = devices.length;
    this.sets = 1;
    this.levels = 1;
    for (const { sets, levelsOut } of stages) {
      if (sets.length > this.sets) this.sets = sets.length;
      if (levelsOut > this.levels) this.levels = levelsOut;
    }
    this.#reserve();
    this.relaxation.load(instance);
    this.most = mostSteps(instance);
    this.unit = this.relaxation.leastCost;
    const totals = this.#totals(instance);
    this.#request(instance, totals);
    this.#stages(instance, totals);
    this.#devices(instance, totals);
    this.#links(instance);
    setFeatures(instance, this);
    this.#levels(instance, totals);
  }

  #reserve(): void {
    const { stages: L, devices: D, sets: S, levels: P } = this;
    this.stage = grown(this.stage, L * FEATURES.stage);
    this.device = grown(this.device, D * FEATURES.device);
    this.pair = grown(this.pair, L * D * FEATURES.pair);
    this.link = grown(this.link, D * D * FEATURES.link);
    this.set = grown(this.set, L * S * FEATURES.set).fill(0);
    this.level = grown(this.level, L * P * FEATURES.level).fill(0);
    this.members = grown(this.members, L * S * D).fill(0);
    if (this.setLegal.length < L * S) this.setLegal = new Uint8Array(L * S);
    this.setLegal.fill(0);
    if (this.levelLegal.length < L * P) this.levelLegal = new Uint8Array(L * P);
    this.levelLegal.fill(0);
  }

  /** Sums at the rough choices. */
  #totals(instance: PlanningInstance): Totals {
    const { stages, devices } = instance;
    let [macs, weights, held, carried, memory, energy, perMac] = [0, 0, 0, 0, 0, 0, 0];
    stages.forEach((stage, l) => {
      const c = this.relaxation.choice[l] as number;
      macs += stage.macs[c] as number;
      weights += stage.weightBytes[c] as number;
      held = Math.max(held, stage.activationBytes[c] as number);
      carried += this.relaxation.bytes[l + 1] as number;
    });
    for (const device of devices) {
      memory += Math.min(device.memory, 1e15);
      energy += Math.min(device.energy, 1e15);
      perMac += device.joulesPerMac / devices.length;
    }
    return {
      macs,
      weights,
      held,
      bytes: carried / stages.length,
      memory,
      energy,
      perMac,
      most: Math.max(0, this.most),
    };
  }

  #request(instance: PlanningInstance, t: Totals): void {
    const { deadline, weights, lossUnit, unprunedAccuracy, stages, devices, source } = instance;
    const r = this.relaxation;
    const f = this.request;
    const local = this.#through(source, stages.length);
    f[REQUEST.leastTime] = log(r.leastSeconds / deadline);
    f[REQUEST.localTime] = log(local / deadline);
    f[REQUEST.leastTimeCost] = log((weights.time * r.leastSeconds) / this.unit);
    f[REQUEST.workEnergyCost] = log((weights.energy * t.macs * t.perMac) / this.unit);
    f[REQUEST.allowedLoss] = log(t.most * lossUnit);
    f[REQUEST.allowedLossCost] = log((weights.accuracy * unprunedAccuracy * t.most * lossUnit) / this.unit);
    f[REQUEST.stages] = Math.log(stages.length) / 3;
    f[REQUEST.devices] = Math.log(devices.length) / 2;
    f[REQUEST.sharedChannel] = instance.sharedChannel ? 1 : 0;
    f[REQUEST.weightsOfMemory] = log(t.weights / t.memory);
    f[REQUEST.workOfEnergy] = log((t.macs * t.perMac) / t.energy);
    f[REQUEST.activationsOfMemory] = log(t.held / (t.memory / devices.length));
    f[REQUEST.trustedSource] = devices[source]?.trusted ? 1 : 0;
    f[REQUEST.levels] = this.levels / 8;
  }

  /** Seconds of everything on one device. */
  #through(d: number, L: number): number {
    let seconds = 0;
    for (let l = 0; l < L; l++) seconds += this.relaxation.seconds[l * this.devices + d] as number;
    return seconds;
  }

  #stages(instance: PlanningInstance, t: Totals): void {
    const { stages, deadline, weights } = instance;
    const L = stages.length;
    const r = this.relaxation;
    stages.forEach((stage, l) => {
      const c = r.choice[l] as number;
      const f = l * FEATURES.stage;
      const s = this.stage;
      let cuts = 0;
      let tied = 1;
      for (let i = 0; i < stage.allowed.length; i++) {
        if (stage.allowed[i] !== 1) continue;
        const loss = stage.loss[i] as number;
        if (loss > cuts) cuts = loss;
        if (levelInOf(stage, i) !== levelOutOf(stage, i)) tied = 0;
      }
      s[f + STAGE.place] = l / Math.max(1, L - 1);
      s[f + STAGE.work] = log(((stage.macs[c] as number) / t.macs) * L);
      s[f + STAGE.weights] = log(((stage.weightBytes[c] as number) / t.weights) * L);
      s[f + STAGE.bytesIn] = log((r.bytes[l] as number) / t.bytes);
      s[f + STAGE.bytesOut] = log((r.bytes[l + 1] as number) / t.bytes);
      s[f + STAGE.splitByOutputs] = stage.split === 'outputs' ? 1 : 0;
      s[f + STAGE.splitByPartialSums] = stage.split === 'partial-sums' ? 1 : 0;
      s[f + STAGE.seenBefore] = l === 0 ? 0 : (stages[l - 1] as StageInstance).maxSeen;
      s[f + STAGE.seenHere] = stage.maxSeen;
      s[f + STAGE.largestLoss] = log(cuts / Math.max(1e-9, t.most * instance.lossUnit));
      s[f + STAGE.tied] = tied;
      s[f + STAGE.first] = l === 0 ? 1 : 0;
      s[f + STAGE.last] = l === L - 1 ? 1 : 0;
      s[f + STAGE.sets] = log(stage.sets.length / 10);
      // Least that the stage takes on any single device.
      let least = Number.POSITIVE_INFINITY;
      for (let d = 0; d < this.devices; d++) {
        const value = r.seconds[l * this.devices + d] as number;
        if (r.legal[l * this.devices + d] === 1 && value < least) least = value;
      }
      s[f + STAGE.leastTime] = log((Math.min(least, deadline) / deadline) * L);
      s[f + STAGE.leastTimeCost] = log(((weights.time * Math.min(least, deadline)) / this.unit) * L);
    });
  }

  #devices(instance: PlanningInstance, t: Totals): void {
    const { stages, devices, deadline, weights, source } = instance;
    const [L, D] = [stages.length, devices.length];
    const r = this.relaxation;
    for (let d = 0; d < D; d++) {
      const device = devices[d] as DeviceInstance;
      const f = d * FEATURES.device;
      const s = this.device;
      const whole = this.#through(d, L);
      let out = 0;
      let into = 0;
      let missing = 0;
      for (let e = 0; e < D; e++) {
        if (e === d) continue;
        out += Math.min(
          deadline,
          (r.delay[d * D + e] as number) + t.bytes * (r.perByte[d * D + e] as number),
        );
        into += Math.min(
          deadline,
          (r.delay[e * D + d] as number) + t.bytes * (r.perByte[e * D + d] as number),
        );
        if ((instance.bandwidth[d]?.[e] ?? 0) === 0) missing++;
      }
      const others = Math.max(1, D - 1);
      const hop = (r.delay[source * D + d] as number) + t.bytes * (r.perByte[source * D + d] as number);
      s[f + DEVICE.source] = d === source ? 1 : 0;
      s[f + DEVICE.trusted] = device.trusted ? 1 : 0;
      s[f + DEVICE.time] = log(whole / deadline);
      s[f + DEVICE.timeCost] = log((weights.time * whole) / this.unit);
      s[f + DEVICE.weights] = log(t.weights / device.memory);
      s[f + DEVICE.activations] = log(t.held / device.memory);
      s[f + DEVICE.energy] = log((t.macs * device.joulesPerMac) / device.energy);
      s[f + DEVICE.energyCost] = log((weights.energy * t.macs * device.joulesPerMac) / this.unit);
      s[f + DEVICE.wait] = log((device.wait * L) / deadline);
      s[f + DEVICE.sendTime] = log((out / others / deadline) * L);
      s[f + DEVICE.receiveTime] = log((into / others / deadline) * L);
      s[f + DEVICE.timeFromSource] = d === source ? 0 : log((Math.min(hop, deadline) / deadline) * L);
      s[f + DEVICE.missingLinks] = missing / others;
      s[f + DEVICE.sendEnergy] = log((t.bytes * L * device.joulesPerByteSent) / device.energy);
      s[f + DEVICE.transferCost] = log(
        (weights.energy * t.bytes * L * (device.joulesPerByteSent + device.joulesPerByteReceived)) /
          this.unit,
      );
      s[f + DEVICE.measured] = device.seconds ? 1 : 0;
      for (let l = 0; l < L; l++) {
        const stage = stages[l] as StageInstance;
        const c = r.choice[l] as number;
        const at = l * D + d;
        const p = at * FEATURES.pair;
        const x = this.pair;
        const through = (r.secondsTo[at] as number) + (r.secondsFrom[at] as number);
        const cost = (r.costTo[at] as number) + (r.costFrom[at] as number);
        x[p + PAIR.mayRun] = r.legal[at] as number;
        x[p + PAIR.timeRegret] = regret(through, r.leastSeconds);
        x[p + PAIR.costRegret] = regret(cost, r.leastCost);
        x[p + PAIR.time] = log(((r.seconds[at] as number) / deadline) * L);
        x[p + PAIR.cost] = log(((r.cost[at] as number) / this.unit) * L);
        x[p + PAIR.weights] = log((stage.weightBytes[c] as number) / device.memory);
        x[p + PAIR.tooLarge] =
          (stage.activationBytes[c] as number) + (stage.weightBytes[c] as number) > device.memory ? 1 : 0;
        x[p + PAIR.energy] = log(((stage.macs[c] as number) * device.joulesPerMac) / device.energy);
        x[p + PAIR.timeFromSource] = log(
          (((r.delay[source * D + d] as number) +
            (r.bytes[l] as number) * (r.perByte[source * D + d] as number)) /
            deadline) *
            L,
        );
        x[p + PAIR.timeCost] = log(((weights.time * (r.seconds[at] as number)) / this.unit) * L);
      }
    }
  }

  #links({ deadline, devices }: PlanningInstance): void {
    const D = devices.length;
    const r = this.relaxation;
    const bytes = this.#meanBytes();
    for (let at = 0; at < D * D; at++) {
      const seconds = (r.delay[at] as number) + bytes * (r.perByte[at] as number);
      this.link[at * FEATURES.link + LINK.time] = log((Math.min(seconds, deadline) / deadline) * this.stages);
      this.link[at * FEATURES.link + LINK.energyCost] = log(
        ((bytes * (r.carried[at] as number)) / this.unit) * this.stages,
      );
    }
  }

  #meanBytes(): number {
    let sum = 0;
    for (let l = 1; l <= this.stages; l++) sum += this.relaxation.bytes[l] as number;
    return sum / this.stages;
  }

  #levels(instance: PlanningInstance, t: Totals): void {
    const { stages, weights, unprunedAccuracy, lossUnit } = instance;
    const [L, P] = [stages.length, this.levels];
    for (let l = 0; l < L; l++) {
      const stage = stages[l] as StageInstance;
      const next = stages[l + 1];
      const { levelsIn, levelsOut } = stage;
      const whole = Math.max(1e-9, stage.outputBytes[0] as number);
      for (let p = 0; p < levelsOut; p++) {
        const f = (l * P + p) * FEATURES.level;
        this.levelLegal[l * P + p] = 1;
        const from = Math.min(levelsIn - 1, Math.round((p / Math.max(1, levelsOut - 1)) * (levelsIn - 1)));
        const c = choiceIndex(stage, from, 0, p);
        const steps = stage.allowed[c] === 1 ? lossSteps(instance, stage.loss[c] as number) : 0;
        const ahead = next
          ? (next.macs[choiceIndex(next, p, 0, 0)] as number) / Math.max(1, next.macs[0] as number)
          : 1;
        this.level[f + LEVEL.bytesOut] = (stage.outputBytes[p] as number) / whole;
        this.level[f + LEVEL.work] = (stage.macs[c] as number) / Math.max(1, stage.macs[0] as number);
        this.level[f + LEVEL.lossSteps] = Math.min(2, (steps / Math.max(1, t.most)) * Math.sqrt(L));
        this.level[f + LEVEL.lossCost] = Math.min(
          4,
          (weights.accuracy * unprunedAccuracy * steps * lossUnit * L) / this.unit,
        );
        this.level[f + LEVEL.place] = p / Math.max(1, levelsOut - 1);
        this.level[f + LEVEL.nextWork] = Math.min(2, ahead);
      }
    }
  }
}

interface Totals {
  readonly macs: number;
  readonly weights: number;
  readonly held: number;
  /** Of one hop, on average. */
  readonly bytes: number;
  readonly memory: number;
  readonly energy: number;
  readonly perMac: number;
  readonly most: number;
}
