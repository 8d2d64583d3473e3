// The input as a stage of its own. Where a request lets the raw input go to trusted devices, the source has it in a stage
// before the first: that stage computes nothing and waits for nothing, and its output is the input. So the first stage is
// placed like any other, its input crosses a link like any tensor, and planners see nothing but one more stage.

import type { BundleManifest } from '../../bundle/index.ts';
import { inputBytesOf } from '../../bundle/internal.ts';
import type { PlanRequest } from '../input/request.ts';
import type { DeviceInstance, StageInstance } from './instance.ts';

/** Stages of an instance before the first one of its bundle: 1 where the input may travel, otherwise 0. */
export type StagesAhead = 0 | 1;

/** Whether the input may travel. */
export function stagesAhead({ rawInput }: Pick<PlanRequest, 'rawInput'>): StagesAhead {
  return rawInput === 'trusted' ? 1 : 0;
}

/** The stage that gives the input away, on the source alone; no untrusted device may see any of it. */
export function inputStage(manifest: BundleManifest, source: number): StageInstance {
  const none = () => new Float64Array(1);
  return {
    name: 'input',
    isInput: true,
    ...{ levelsIn: 1, inner: 1, levelsOut: 1, allowed: Uint8Array.of(1) },
    ...{ macs: none(), weightBytes: none(), activationBytes: none(), loss: none() },
    outputBytes: Float64Array.of(inputBytesOf(manifest)),
    ...{ split: 'none', maxSeen: 0, sets: [[source]] },
  };
}

/** A device of an instance with that stage. */
export function withInputStage(device: DeviceInstance): DeviceInstance {
  return { ...device, seconds: device.seconds && [undefined, ...device.seconds] };
}
