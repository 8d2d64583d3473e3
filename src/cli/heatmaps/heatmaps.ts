// The folder that `explain --heatmaps` writes: a picture for each sample, one of the channel scores, and a page of all.
import { basename, join } from 'node:path';
import type { Network } from '../../app/index.ts';
import type { Dataset } from '../../data/index.ts';
import type { Criterion, LayerScores } from '../../explain/index.ts';
import { drawAll, indexPage, layersPicture, pictureKind, sectionsOf } from '../../report/index.ts';
import { writeFileAtomic } from '../../util/index.ts';
import type { Output } from '../terminal/output.ts';
import { explainedSamples, type SampleRequest } from './explain-samples.ts';
import { assertHeatmaps, type HeatmapOptions } from './options.ts';

/** What was written. */
export interface WrittenHeatmaps {
  readonly folder: string;
  /** The page that shows all. */
  readonly index: string;
  readonly samples: number;
}

/** Heatmaps that were asked for, checked, to be drawn when the scores are there. */
export interface PlannedHeatmaps {
  write(dataset: Dataset, found: Found, output: Output): Promise<WrittenHeatmaps>;
}

/** What was found out without heatmaps. */
interface Found {
  readonly target: 'label' | 'predicted';
  readonly layers: readonly LayerScores[];
  readonly samples: number;
}

type RunOptions = Pick<SampleRequest, 'batch' | 'threads' | 'seed'>;

/**
 * Checks what can be checked before any work; undefined when no heatmaps are asked for.
 * @throws BedsideError as `assertHeatmaps`; E_UNSUPPORTED for samples that are neither images nor traces
 */
export async function planHeatmaps(
  loaded: Network,
  options: HeatmapOptions & RunOptions & { readonly criterion: Criterion },
): Promise<PlannedHeatmaps | undefined> {
  const { heatmaps: folder, heatmapSamples: perClass, batch, threads, seed } = options;
  if (folder === undefined) return undefined;
  const criterion = await assertHeatmaps(folder, options.criterion);
  const kind = pictureKind(loaded.classifier.sampleShape, loaded.name);
  return {
    async write(dataset, { target, layers, samples }, output) {
      const drawn = await output.during('heatmaps', async (progress) => {
        const request = { criterion, target, perClass, batch, threads, seed };
        const explained = await explainedSamples(loaded, dataset, {
          ...request,
          onProgress: (done, total) => progress.update(done, total),
        });
        return drawAll(explained, kind, dataset.size);
      });
      for (const { file, svg } of drawn) await writeFileAtomic(join(folder, file), svg);
      await writeFileAtomic(join(folder, 'layers.svg'), layersPicture(layers, criterion, samples));
      const index = join(folder, 'index.html');
      const lead =
        `${criterion.name}: ${criterion.summary} (${criterion.source}). Samples of ${dataset.name}. ` +
        'Red speaks for the class named, blue against it.';
      await writeFileAtomic(
        index,
        indexPage({
          title: `What ${basename(loaded.name)} looks at`,
          lead,
          sections: sectionsOf(drawn, dataset),
          layers: 'layers.svg',
        }),
      );
      return { folder, index, samples: drawn.length };
    },
  };
}
