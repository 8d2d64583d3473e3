// Checks a plan against every constraint of docs/formulation.md, symbol by symbol, and says what it costs. Shares no
// code with the solvers: what they return is run only if this agrees.
import { must } from '../../util/index.ts';
import type { PlanningInstance, StageDecision, StageInstance } from '../problem/instance.ts';

/** A constraint that does not hold. */
export interface Violation {
  readonly constraint:
    | 'deadline'
    | 'accuracy'
    | 'memory'
    | 'energy'
    | 'privacy'
    | 'link'
    | 'source'
    | 'split'
    | 'level';
  /** Names; where it concerns one. */
  readonly device?: string | undefined;
  readonly stage?: number | undefined;
  /** What the plan has and what is allowed, in the constraint's unit. */
  readonly value: number;
  readonly limit: number;
}

/** One member of a stage's set. Seconds. */
export interface MemberTimes {
  readonly device: number;
  readonly wait: number;
  readonly transfer: number;
  readonly compute: number;
}

/** One stage of a plan. Seconds from the request. */
export interface StageCheck {
  readonly start: number;
  readonly end: number;
  readonly members: readonly MemberTimes[];
}

/** One device under a plan. Bytes and joules. */
export interface DeviceCheck {
  readonly weightBytes: number;
  readonly activationBytes: number;
  readonly energy: number;
}

/** What a plan costs, and which constraints it breaks. */
export interface PlanCheck {
  readonly latency: number;
  readonly energy: number;
  /** Predicted: with losses rounded up, so at most what the model says. */
  readonly accuracy: number;
  readonly objective: number;
  readonly stages: readonly StageCheck[];
  /** Seconds for the result's way back to the source. */
  readonly result: number;
  readonly devices: readonly DeviceCheck[];
  readonly violations: readonly Violation[];
}

/** Relative slack of every limit: rounding, not permission. */
const SLACK = 1e-9;

/** Evaluates decisions, one for each stage. */
export function checkPlan(instance: PlanningInstance, decisions: readonly StageDecision[]): PlanCheck {
  const violations: Violation[] = [];
  const broken = (violation: Violation): void => {
    violations.push(violation);
  };
  const plan = instance.stages.map((stage, l) =>
    chosen(stage, must(decisions[l], `decision of stage ${l}`), l, decisions),
  );
  plan.forEach((p, l) => {
    if (!p.allowed) broken({ constraint: 'level', stage: l, value: 0, limit: 1 });
    const alone = p.stage.alone?.[p.choice] === 1;
    const most = p.stage.split === 'none' || alone ? 1 : 4;
    if (p.devices.length > most)
      broken({ constraint: 'split', stage: l, value: p.devices.length, limit: most });
  });

  // Times: each member needs the whole tensor, then computes its part.
  const stages: StageCheck[] = [];
  let now = 0;
  plan.forEach((p, l) => {
    const before = plan[l - 1];
    const members = p.devices.map((e) => {
      const device = must(instance.devices[e], `device ${e}`);
      const transfer = before ? arrival(instance, before, p.devices, e) : 0;
      if (p.stage.isInput) return { device: e, wait: 0, transfer, compute: 0 };
      const whole = device.seconds?.[l]?.[p.choice] ?? p.macs / device.speed;
      return { device: e, wait: device.wait, transfer, compute: whole / p.devices.length };
    });
    const took = Math.max(...members.map(({ wait, transfer, compute }) => transfer + wait + compute));
    stages.push({ start: now, end: now + took, members });
    now += took;
  });
  const last = must(plan.at(-1), 'a stage');
  const result = arrival(instance, last, [instance.source], instance.source);
  const latency = now + result;
  if (!(latency <= instance.deadline * (1 + SLACK))) {
    broken({ constraint: 'deadline', value: latency, limit: instance.deadline });
  }
  if (!Number.isFinite(latency)) missingLinks(instance, plan).forEach(broken);

  // Bytes and joules of every device.
  const devices = instance.devices.map((device, d) => {
    let weightBytes = 0;
    let activationBytes = 0;
    let energy = 0;
    plan.forEach((p, l) => {
      const part = p.devices.includes(d) ? 1 / p.devices.length : 0;
      weightBytes += p.weightBytes * part;
      activationBytes = Math.max(activationBytes, part > 0 ? p.activationBytes : 0);
      energy += device.joulesPerMac * p.macs * part;
      const next = plan[l + 1]?.devices ?? [instance.source];
      if (part > 0) {
        const receivers = next.filter((e) => e !== d).length;
        energy += device.joulesPerByteSent * sentBytes(p) * receivers;
      }
      if (next.includes(d)) {
        const senders = p.devices.filter((e) => e !== d).length;
        energy += device.joulesPerByteReceived * sentBytes(p) * senders;
      }
    });
    const needed = weightBytes + activationBytes;
    if (needed > device.memory * (1 + SLACK)) {
      broken({ constraint: 'memory', device: device.name, value: needed, limit: device.memory });
    }
    if (energy > device.energy * (1 + SLACK)) {
      broken({ constraint: 'energy', device: device.name, value: energy, limit: device.energy });
    }
    return { weightBytes, activationBytes, energy };
  });

  privacy(instance, plan).forEach(broken);

  const steps = plan.reduce((sum, p) => sum + Math.ceil(p.loss / instance.lossUnit - SLACK), 0);
  const accuracy = instance.unprunedAccuracy * Math.exp(-steps * instance.lossUnit);
  if (accuracy < instance.accuracyFloor * (1 - SLACK)) {
    broken({ constraint: 'accuracy', value: accuracy, limit: instance.accuracyFloor });
  }
  const energy = devices.reduce((sum, device) => sum + device.energy, 0);
  const { weights } = instance;
  const objective = weights.time * latency + weights.energy * energy + weights.accuracy * (1 - accuracy);
  return { latency, energy, accuracy, objective, stages, result, devices, violations };
}

/** One stage as it was decided. */
interface Chosen {
  readonly stage: StageInstance;
  readonly devices: readonly number[];
  readonly choice: number;
  readonly allowed: boolean;
  readonly macs: number;
  readonly weightBytes: number;
  readonly activationBytes: number;
  readonly outputBytes: number;
  /** Of the output as float32, as which sums of several devices travel. */
  readonly float32Bytes: number;
  readonly loss: number;
}

function chosen(
  stage: StageInstance,
  decision: StageDecision,
  l: number,
  decisions: readonly StageDecision[],
): Chosen {
  const before = l === 0 ? 0 : must(decisions[l - 1], `decision of stage ${l - 1}`).level;
  const choice = (before * stage.inner + decision.inner) * stage.levelsOut + decision.level;
  const inside = before < stage.levelsIn && decision.inner < stage.inner && decision.level < stage.levelsOut;
  const at = (values: ArrayLike<number>): number => must(values[choice], `choice ${choice} of stage ${l}`);
  return {
    stage,
    devices: must(stage.sets[decision.set], `set ${decision.set} of stage ${l}`),
    choice,
    allowed: inside && at(stage.allowed) === 1,
    macs: at(stage.macs),
    weightBytes: at(stage.weightBytes),
    activationBytes: at(stage.activationBytes),
    outputBytes: must(stage.outputBytes[decision.level], `level ${decision.level} of stage ${l}`),
    float32Bytes: must(
      stage.outputBytes[decision.level % (stage.levelsOut / (stage.wires?.out ?? 1))],
      `level ${decision.level} of stage ${l}`,
    ),
    loss: at(stage.loss),
  };
}

/** Bytes that one member sends to one receiver: its block of the output, or a partial sum of all of it. */
function sentBytes({ stage, devices, outputBytes, float32Bytes }: Chosen): number {
  if (stage.split !== 'partial-sums') return outputBytes / devices.length;
  return devices.length > 1 ? float32Bytes : outputBytes;
}

/** Seconds until device `e`, one of the next holders, has the whole output. */
function arrival(instance: PlanningInstance, from: Chosen, next: readonly number[], e: number): number {
  const bytes = sentBytes(from);
  const link = (d: number, to: number) => ({
    seconds: bytes / must(instance.bandwidth[d]?.[to], `link ${d} ${to}`),
    latency: must(instance.latency[d]?.[to], `latency ${d} ${to}`),
  });
  const own = from.devices.filter((d) => d !== e).map((d) => link(d, e));
  if (!instance.sharedChannel) return Math.max(0, ...own.map((l) => l.latency + l.seconds));
  // One channel: whatever is sent in this hop, to anybody, goes one after another.
  const all = next.flatMap((to) => from.devices.filter((d) => d !== to).map((d) => link(d, to)));
  const busy = all.reduce((sum, l) => sum + l.seconds, 0);
  return all.length === 0 ? 0 : busy + Math.max(...all.map((l) => l.latency));
}

function missingLinks(instance: PlanningInstance, plan: readonly Chosen[]): Violation[] {
  return plan.flatMap((p, l) => {
    const next = plan[l + 1]?.devices ?? [instance.source];
    return p.devices.flatMap((d) =>
      next
        .filter((e) => e !== d && instance.bandwidth[d]?.[e] === 0)
        .map((e) => ({
          constraint: 'link' as const,
          stage: l,
          device: `${instance.devices[d]?.name} to ${instance.devices[e]?.name}`,
          value: 0,
          limit: 1,
        })),
    );
  });
}

/** What devices see: the input on the source only, and untrusted ones at most `maxSeen` of a stage's output. */
function privacy(instance: PlanningInstance, plan: readonly Chosen[]): Violation[] {
  const violations: Violation[] = [];
  plan.forEach((p, l) => {
    if (l === 0 && (p.devices.length !== 1 || p.devices[0] !== instance.source)) {
      violations.push({ constraint: 'source', stage: 0, value: p.devices.length, limit: 1 });
    }
    const before = plan[l - 1];
    const next = plan[l + 1]?.devices ?? [instance.source];
    for (const [d, device] of instance.devices.entries()) {
      if (device.trusted) continue;
      const made = !p.devices.includes(d) ? 0 : p.stage.split === 'partial-sums' ? 1 : 1 / p.devices.length;
      const seen = next.includes(d) ? 1 : made;
      const { name } = device;
      if (seen > p.stage.maxSeen + SLACK) {
        violations.push({
          constraint: 'privacy',
          device: name,
          stage: l,
          value: seen,
          limit: p.stage.maxSeen,
        });
      }
      if (!before && p.devices.includes(d)) {
        violations.push({ constraint: 'privacy', device: name, stage: -1, value: 1, limit: 0 });
      }
    }
  });
  return violations;
}
