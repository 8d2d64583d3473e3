// Lower bounds of what every plan still needs from a state on: seconds, steps of loss, and bytes and joules of devices
// that all remaining candidates use. A choice that leaves less is masked. No choice that leads to a plan is.
import { type DeviceInstance, type PlanningInstance, SLACK_FACTOR } from '../../plan/internal.ts';
import { type CandidateProgram, grown } from './candidate-program.ts';
import type { PartialPlans } from './partial-plans.ts';

/** Lower bounds, state by state. */
export class Reach {
  /** `[(stage * width + k) * levels + p]`: from the end of the stage to the result at the source. */
  seconds = new Float64Array(0);
  steps = new Float64Array(0);
  /** `[stage * devices + device]`: bytes and joules of the stages behind. */
  bytes = new Float64Array(0);
  joules = new Float64Array(0);
  #node = new Float64Array(0);
  #nodeSteps = new Float64Array(0);

  /** Returns false when no plan can end in time and above the floor. */
  load(program: CandidateProgram): boolean {
    const { stages: L, width, levels } = program;
    const states = L * width * levels;
    this.seconds = grown(this.seconds, states);
    this.steps = grown(this.steps, states);
    this.#node = grown(this.#node, states);
    this.#nodeSteps = grown(this.#nodeSteps, states);
    for (let l = L - 1; l >= 0; l--) {
      this.#states(program, l);
      this.#nodes(program, l);
    }
    this.#devices(program);
    const { deadline } = program.instance as PlanningInstance;
    return (
      (this.#node[0] as number) <= deadline * SLACK_FACTOR && (this.#nodeSteps[0] as number) <= program.most
    );
  }

  /** Whether devices can still carry what is certain to come after stage l of a row. */
  lasts(program: CandidateProgram, plans: PartialPlans, l: number, row: number): boolean {
    const D = program.devices;
    const { devices } = program.instance as PlanningInstance;
    for (let d = 0; d < D; d++) {
      const bytes = this.bytes[l * D + d] as number;
      const joules = this.joules[l * D + d] as number;
      if (bytes === 0 && joules === 0) continue;
      const device = devices[d] as DeviceInstance;
      const at = row * D + d;
      const held = (plans.weights[at] as number) + (plans.activations[at] as number) + bytes;
      if (
        held > device.memory * SLACK_FACTOR ||
        (plans.joules[at] as number) + joules > device.energy * SLACK_FACTOR
      )
        return false;
    }
    return true;
  }

  #states(program: CandidateProgram, l: number): void {
    const { width, levels, stages } = program;
    const [K, P] = [program.count[l] as number, program.levelsOut[l] as number];
    const next = l === stages - 1 ? 0 : (program.count[l + 1] as number);
    for (let k = 0; k < K; k++) {
      for (let p = 0; p < P; p++) {
        const state = (l * width + k) * levels + p;
        if (l === stages - 1) {
          this.seconds[state] = program.home[k * levels + p] as number;
          this.steps[state] = 0;
          continue;
        }
        let seconds = Number.POSITIVE_INFINITY;
        let steps = Number.POSITIVE_INFINITY;
        const row = (program.hopBase[l + 1] as number) + (k * P + p) * next;
        for (let t = 0; t < next; t++) {
          const node = ((l + 1) * width + t) * levels + p;
          const value = (program.arrive[row + t] as number) + (this.#node[node] as number);
          if (value < seconds) seconds = value;
          if (value < Number.POSITIVE_INFINITY && (this.#nodeSteps[node] as number) < steps)
            steps = this.#nodeSteps[node] as number;
        }
        this.seconds[state] = seconds;
        this.steps[state] = steps;
      }
    }
  }

  #nodes(program: CandidateProgram, l: number): void {
    const { width, levels, out, soonest, steps: lost } = program;
    const own = this.seconds;
    const ownSteps = this.steps;
    const first = program.choiceBase[l] as number;
    const C = program.choices(l);
    for (let k = 0; k < (program.count[l] as number); k++) {
      const row = (program.timeBase[l] as number) + k * C - first;
      const go = (l * width + k) * levels;
      for (let p = 0; p < (program.levelsIn[l] as number); p++) {
        let seconds = Number.POSITIVE_INFINITY;
        let steps = Number.POSITIVE_INFINITY;
        const to = program.start[l * (levels + 1) + p + 1] as number;
        for (let c = program.start[l * (levels + 1) + p] as number; c < to; c++) {
          const state = go + (out[c] as number);
          const value = (soonest[row + c] as number) + (own[state] as number);
          if (value === Number.POSITIVE_INFINITY) continue;
          if (value < seconds) seconds = value;
          const all = (lost[c] as number) + (ownSteps[state] as number);
          if (all < steps) steps = all;
        }
        this.#node[go + p] = seconds;
        this.#nodeSteps[go + p] = steps;
      }
    }
  }

  /** Devices that every candidate of a stage uses must hold its least weights and do its least work. */
  #devices(program: CandidateProgram): void {
    const { stages: L, devices: D, width } = program;
    const { devices } = program.instance as PlanningInstance;
    this.bytes = grown(this.bytes, L * D);
    this.joules = grown(this.joules, L * D);
    this.bytes.fill(0, (L - 1) * D, L * D);
    this.joules.fill(0, (L - 1) * D, L * D);
    for (let l = L - 1; l > 0; l--) {
      const [row, before] = [l * D, (l - 1) * D];
      for (let d = 0; d < D; d++) {
        this.bytes[before + d] = this.bytes[row + d] as number;
        this.joules[before + d] = this.joules[row + d] as number;
      }
      const K = program.count[l] as number;
      const first = program.sets[l * width] as readonly number[];
      for (const d of first) {
        let parts = first.length;
        let all = true;
        for (let k = 1; k < K && all; k++) {
          const set = program.sets[l * width + k] as readonly number[];
          all = set.includes(d);
          if (set.length > parts) parts = set.length;
        }
        if (!all) continue;
        let [bytes, macs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
        const to = program.choiceBase[l + 1] as number;
        for (let c = program.choiceBase[l] as number; c < to; c++) {
          if ((program.weight[c] as number) < bytes) bytes = program.weight[c] as number;
          if ((program.macs[c] as number) < macs) macs = program.macs[c] as number;
        }
        const device = devices[d] as DeviceInstance;
        this.bytes[before + d] = (this.bytes[before + d] as number) + bytes / parts;
        this.joules[before + d] = (this.joules[before + d] as number) + (macs / parts) * device.joulesPerMac;
      }
    }
  }
}
