// The pieces of a plan on this machine alone, one after the other: what devices give that round, to the last step.
import type { Bundle } from '../../bundle/index.ts';
import type { FloatTensor, RunPlan } from '../../run/index.ts';
import { Device, floatsOf, isRounded, mergeSegments, roundTensor } from '../../run/internal.ts';
import { must } from '../../util/index.ts';

/** The holder of sessions. */
const REQUEST = 'here';

/** Runs plans of one bundle in this process, each segment as its device would. `close` releases the sessions. */
export class PiecesHere {
  readonly #bundle: Bundle;
  readonly #devices = new Map<string, Device>();

  constructor(bundle: Bundle) {
    this.#bundle = bundle;
  }

  /**
   * The result of a plan. What crosses from one device to another is rounded where the plan says so.
   * @throws BedsideError as `Device.run`
   */
  async run(plan: RunPlan, input: FloatTensor): Promise<FloatTensor> {
    const bundle = this.#bundle.sha256;
    let value = input;
    for (let stage = 0; stage < plan.stages.length; ) {
      const { segments } = must(plan.stages[stage], `stage ${stage}`);
      const parts: FloatTensor[] = [];
      let last = stage;
      for (const [segment, { device }] of segments.entries()) {
        const found = await this.#device(device).run(REQUEST, { bundle, plan, stage, segment }, value);
        last = found.last;
        parts.push(this.#received(plan, last, device, found.output));
      }
      const { device } = must(segments[0], 'a segment');
      value = mergeSegments(parts, this.#device(device).stages(bundle).mergeRule(last));
      stage = last + 1;
    }
    for (const device of this.#devices.values()) device.end(REQUEST);
    return value;
  }

  async close(): Promise<void> {
    for (const device of this.#devices.values()) await device.close();
  }

  /** A part as the next holders get it. */
  #received(plan: RunPlan, stage: number, from: string, part: FloatTensor): FloatTensor {
    if (!isRounded(plan, stage, from)) return part;
    const stages = this.#device(from).stages(this.#bundle.sha256);
    const scale = stages.inputScale(stage + 1, plan.levels);
    return floatsOf(roundTensor(part, scale));
  }

  #device(name: string): Device {
    const known = this.#devices.get(name) ?? new Device({ name }, [this.#bundle]);
    this.#devices.set(name, known);
    return known;
  }
}
