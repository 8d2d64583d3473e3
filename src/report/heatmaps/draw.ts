// Draws explained samples as named SVG files, and sorts them into the sections of a page.
import type { Dataset } from '../../data/index.ts';
import { className, type ExplainedSample, fileName } from './explained.ts';
import { frame, words } from './frame.ts';
import { type PictureKind, pictureOf } from './kinds.ts';

/** One picture and its file name. */
export interface DrawnSample {
  readonly file: string;
  readonly title: string;
  readonly svg: string;
  readonly explained: ExplainedSample;
}

/**
 * Draws each sample.
 * @param size number of samples of the data set; file names get as many digits as it needs
 */
export async function drawAll(
  samples: readonly ExplainedSample[],
  kind: PictureKind,
  size: number,
): Promise<DrawnSample[]> {
  const digits = String(Math.max(0, size - 1)).length;
  const drawn: DrawnSample[] = [];
  for (const explained of samples) {
    const svg = frame(explained, await pictureOf(kind, explained));
    drawn.push({ file: fileName(explained, digits), title: words(explained).title, svg, explained });
  }
  return drawn;
}

/** Groups pictures by true class, or by explained class without labels. */
export function sectionsOf(drawn: readonly DrawnSample[], dataset: Pick<Dataset, 'classNames' | 'labels'>) {
  const groups = new Map<number, DrawnSample[]>();
  for (const one of drawn) {
    const key = one.explained.label ?? one.explained.target;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups]
    .sort(([a], [b]) => a - b)
    .map(([label, pictures]) => {
      if (label < 0) return { name: 'Samples', pictures };
      const name = className(dataset, label);
      return { name: dataset.labels ? `True class ${name}` : `Taken for ${name}`, pictures };
    });
}
