// --series and --window: which objects of DICOM are read, and how grey is made of their values.
import { InvalidArgumentError } from 'commander';
import type { DatasetOptions, InputContract } from '../../data/index.ts';
import { items } from './numbers.ts';

type ImageWindow = NonNullable<NonNullable<InputContract['image']>['window']>;
type SeriesChoice = NonNullable<DatasetOptions['series']>;

/** Usual windows of computed tomography, in Hounsfield units. */
export const WINDOWS = {
  brain: { centre: 40, width: 80 },
  stroke: { centre: 40, width: 40 },
  lung: { centre: -600, width: 1500 },
  mediastinum: { centre: 50, width: 350 },
  abdomen: { centre: 50, width: 400 },
  liver: { centre: 60, width: 150 },
  bone: { centre: 400, width: 1800 },
} as const satisfies Readonly<Record<string, ImageWindow>>;

/** `40,400`, or the name of a usual window. @throws InvalidArgumentError */
export function parseWindow(text: string): ImageWindow {
  const name = text.trim().toLowerCase();
  if (Object.hasOwn(WINDOWS, name)) return WINDOWS[name as keyof typeof WINDOWS];
  const [centre = Number.NaN, width = Number.NaN, ...more] = text
    .split(',')
    .map((part) => Number(part.trim() || 'x'));
  if (more.length === 0 && Number.isFinite(centre) && Number.isFinite(width) && width > 0)
    return { centre, width };
  throw new InvalidArgumentError(
    `Expected centre and width, such as 40,400, or ${Object.keys(WINDOWS).join(', ')}.`,
  );
}

const KEYS: Readonly<Record<string, keyof SeriesChoice>> = {
  modality: 'modality',
  'body-part': 'bodyPart',
  description: 'description',
};

/** `modality=CT,body-part=HEAD`. @throws InvalidArgumentError */
export function parseSeries(text: string): SeriesChoice {
  const choice: Partial<Record<keyof SeriesChoice, string>> = {};
  for (const item of items(text)) {
    const at = item.indexOf('=');
    const key = item.slice(0, Math.max(at, 0)).trim().toLowerCase();
    const value = item.slice(at + 1).trim();
    const field = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    if (field === undefined || value === '' || choice[field] !== undefined) {
      throw new InvalidArgumentError(`Expected ${Object.keys(KEYS).join('=..., ')}=..., each once.`);
    }
    choice[field] = value;
  }
  return choice;
}
