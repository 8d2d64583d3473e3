// Which channels each device of a stage computes: equal contiguous blocks.
import type { BundleManifest } from '../../bundle/index.ts';
import { taskOf } from '../../bundle/internal.ts';
import { must } from '../../util/index.ts';

/** A device's part of a stage: channels `from` up to, not including, `to`. */
export interface Segment {
  readonly device: string;
  readonly from: number;
  readonly to: number;
}

/**
 * Number of channels that a stage is divided by: those of its output, or for partial sums those inside it.
 * @param levels of all groups
 */
export function outputChannels(manifest: BundleManifest, stage: number, levels: readonly number[]): number {
  const { splitGroup, split, outputShares, index } = must(manifest.stages[stage], `stage ${stage}`);
  const at = (group: number): number =>
    must(manifest.groups[group]?.counts[levels[group] ?? 0], `group ${group}`);
  if (split === 'partial-sums' && splitGroup !== undefined) return at(splitGroup);
  // The output of a network is split along its first axis behind the batch, or not at all.
  if (index === manifest.stages.length - 1) return taskOf(manifest).outputShape[0] ?? 1;
  const total = allChannels(manifest, stage);
  const removed = outputShares.reduce((sum, { group, share }) => {
    const { channels } = must(manifest.groups[group], `group ${group}`);
    return sum + share * (1 - at(group) / channels);
  }, 0);
  return Math.max(1, Math.round(total * (1 - removed)));
}

/** Channels of a stage's output, unpruned: by the share that a group has of them, else by the last layer's bias. */
function allChannels(manifest: BundleManifest, stage: number): number {
  const { outputShares, layers } = must(manifest.stages[stage], `stage ${stage}`);
  const [first] = outputShares;
  if (first) return Math.round(must(manifest.groups[first.group], 'a group').channels / first.share);
  const last = manifest.layers.find(({ name }) => name === layers.at(-1));
  return Math.max(1, Math.round((last?.biasBytes ?? 4) / 4));
}

/** Blocks of nearly equal size, in the order of the devices. */
export function segmentsOf(devices: readonly string[], channels: number): Segment[] {
  return devices.map((device, at) => ({
    device,
    from: Math.floor((at * channels) / devices.length),
    to: Math.floor(((at + 1) * channels) / devices.length),
  }));
}
