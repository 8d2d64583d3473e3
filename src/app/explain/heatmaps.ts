// The folder of heatmaps: a picture for each sample, one of the channel scores, and a page that shows them all.
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Dataset } from '../../data/index.ts';
import type { Criterion, LayerScores } from '../../explain/index.ts';
import type { AttributionCriterion } from '../../explain/internal.ts';
import {
  drawAll,
  indexPage,
  layersPicture,
  type PictureKind,
  pictureKind,
  sectionsOf,
} from '../../report/index.ts';
import { assertWritable, BedsideError, hasClasses, writeFileAtomic } from '../../util/index.ts';
import type { Network } from '../network/network.ts';
import type { Journal } from '../reporter.ts';
import { explainedSamples, type SampleRequest } from './explained-samples.ts';
import { assertExplainsSamples } from './sample-scores.ts';

/** The files of written heatmaps. */
export interface WrittenHeatmaps {
  readonly folder: string;
  /** The page that shows all pictures. */
  readonly index: string;
  /** Number of samples drawn. */
  readonly samples: number;
}

/** Where heatmaps go, and how many. */
export interface HeatmapSettings extends Pick<SampleRequest, 'perClass' | 'batch' | 'threads' | 'seed'> {
  readonly folder: string;
}

/** Results that the pictures show beside the heatmaps. */
export interface HeatmapContext {
  readonly target: 'label' | 'predicted';
  readonly layers: readonly LayerScores[];
  /** Number of samples behind the scores. */
  readonly samples: number;
}

/** Heatmaps that can be drawn: criterion, samples and folder are checked. */
export class PlannedHeatmaps {
  readonly #network: Network;
  readonly #criterion: AttributionCriterion;
  readonly #kind: PictureKind;
  readonly #settings: HeatmapSettings;

  private constructor(
    network: Network,
    criterion: AttributionCriterion,
    kind: PictureKind,
    settings: HeatmapSettings,
  ) {
    this.#network = network;
    this.#criterion = criterion;
    this.#kind = kind;
    this.#settings = settings;
  }

  /**
   * Checks everything that can be checked before long work.
   * @throws BedsideError E_USAGE for a criterion that does not explain single samples; E_OUTPUT for a folder that is a file or
   *   cannot be written; E_UNSUPPORTED for samples that are neither images nor traces
   */
  static async check(
    network: Network,
    criterion: Criterion,
    settings: HeatmapSettings,
  ): Promise<PlannedHeatmaps> {
    assertExplainsSamples(criterion, '--heatmaps');
    await assertFolder(settings.folder);
    const { classifier } = network;
    const kind = pictureKind(classifier.sampleShape, network.name, classifier.inputs);
    return new PlannedHeatmaps(network, criterion, kind, settings);
  }

  /**
   * Explains samples of each class, draws them and writes the folder.
   * @throws BedsideError as `explainedSamples`; E_OUTPUT
   */
  async write(
    dataset: Dataset,
    { target, layers, samples }: HeatmapContext,
    journal: Journal,
  ): Promise<WrittenHeatmaps> {
    const criterion = this.#criterion;
    const { folder, ...run } = this.#settings;
    const drawn = await journal.during('heatmaps', async (progress) => {
      const explained = await explainedSamples(this.#network, dataset, {
        ...run,
        criterion,
        target,
        onProgress: (done, total) => progress.update(done, total),
      });
      return drawAll(explained, this.#kind, dataset.size);
    });
    for (const { file, svg } of drawn) await writeFileAtomic(join(folder, file), svg);
    await writeFileAtomic(join(folder, 'layers.svg'), layersPicture(layers, criterion, samples));
    const index = join(folder, 'index.html');
    const lead =
      `${criterion.name}: ${criterion.summary} (${criterion.source}). Samples of ${dataset.name}. ` +
      `Red speaks for ${hasClasses(this.#network.classifier.task) ? 'the class' : 'what is'} named, blue against it.`;
    const page = {
      title: `What ${basename(this.#network.name)} looks at`,
      lead,
      sections: sectionsOf(drawn, dataset),
      layers: 'layers.svg',
    };
    await writeFileAtomic(index, indexPage(page));
    return { folder, index, samples: drawn.length };
  }
}

async function assertFolder(folder: string): Promise<void> {
  const info = await stat(folder).catch(() => undefined);
  if (info && !info.isDirectory()) {
    throw new BedsideError('E_OUTPUT', `cannot write heatmaps into ${folder}: it is a file`, {
      hint: 'name a folder; it is made if it is missing',
    });
  }
  await assertWritable(join(folder, 'index.html'));
}
