// Eight-bit forms for a random instance: as they were measured on image and ECG networks, a quarter of the bytes, two to
// five times as fast where a device has integer kernels, slower where it has none, and a little accuracy lost.
import { Random } from '../../util/internal.ts';
import type { PlanningInstance } from '../problem/instance.ts';
import { type StagePrecisions, secondsWithPrecisions, withPrecisions } from '../problem/precision.ts';

/** The instance with eight-bit forms of most of its stages; the same seed always gives the same ones. */
export function randomPrecisions(instance: PlanningInstance, seed: number): PlanningInstance {
  const random = new Random(seed * 104_729 + instance.stages.length);
  const uniform = (low: number, high: number): number => low + (high - low) * random.uniform();
  const scale = Math.sqrt(16 / instance.stages.length);
  const gain = instance.stages.map(() => uniform(2, 5));
  const added = instance.stages.map((stage, l): StagePrecisions => {
    const quarter = (values: Float64Array) => values.map((value) => value / 4);
    const rounding = 10 ** uniform(-4, -1.7) * scale;
    const wire = rounding * uniform(0.2, 0.8);
    const of = (value: number) => stage.macs.map(() => value);
    const has = random.uniform() < 0.85;
    return {
      int8: has
        ? {
            macs: stage.macs.map((macs) => macs / (gain[l] ?? 1)),
            weightBytes: quarter(stage.weightBytes),
            activationBytes: quarter(stage.activationBytes),
            loss: of(rounding),
          }
        : undefined,
      wireLoss: random.uniform() < 0.7 ? of(wire) : undefined,
      outputBytes: quarter(stage.outputBytes),
    };
  });
  const stages = withPrecisions(instance.stages, added);
  const devices = instance.devices.map((device) => {
    const kernels = random.uniform() < 0.7;
    const int8 = instance.stages.map((stage, l) => {
      const seconds = (choice: number): number =>
        device.seconds?.[l]?.[choice] ?? (stage.macs[choice] ?? 0) / device.speed;
      if (kernels && device.seconds?.[l] === undefined) return undefined;
      const factor = kernels ? 1 / (gain[l] ?? 1) : 1.3;
      return stage.macs.map((_, choice) => seconds(choice) * factor);
    });
    return secondsWithPrecisions(stages, device, int8);
  });
  return { ...instance, stages, devices };
}
