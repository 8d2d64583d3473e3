// --heatmaps and --heatmap-samples, declared and checked before any work begins.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { type AttributionCriterion, CRITERIA, type Criterion, isAttribution } from '../../explain/index.ts';
import { assertWritable, BedsideError } from '../../util/index.ts';
import { count } from '../options/numbers.ts';

/** What `addHeatmapOptions` adds. */
export interface HeatmapOptions {
  readonly heatmaps?: string;
  readonly heatmapSamples: number;
}

/** Adds both options. */
export function addHeatmapOptions(command: Command): Command {
  return command
    .option(
      '--heatmaps <folder>',
      'write a picture of what matters in some samples of each class, and of the channel scores: index.html and SVG files',
    )
    .option('--heatmap-samples <n>', 'samples of each class to draw', count(10_000), 3);
}

/**
 * Whether heatmaps are asked for, can be made with this criterion and can be written.
 * @throws BedsideError E_USAGE for a criterion that does not explain single samples
 * @throws BedsideError E_OUTPUT when the folder is a file or cannot be written
 */
export async function assertHeatmaps(folder: string, criterion: Criterion): Promise<AttributionCriterion> {
  if (!isAttribution(criterion)) {
    const able = CRITERIA.filter(isAttribution).map(({ name }) => name);
    throw new BedsideError('E_USAGE', `criterion '${criterion.name}' does not explain single samples`, {
      hint: `--heatmaps goes with ${able.join(', ')}`,
    });
  }
  const info = await stat(folder).catch(() => undefined);
  if (info && !info.isDirectory()) {
    throw new BedsideError('E_OUTPUT', `cannot write heatmaps into ${folder}: it is a file`, {
      hint: 'name a folder; it is made if it is missing',
    });
  }
  await assertWritable(join(folder, 'index.html'));
  return criterion;
}
