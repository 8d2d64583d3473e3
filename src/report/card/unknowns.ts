// What a bundle does not say, so that nobody takes silence for an answer.
import { type BundleManifest, SEALED_VERSION } from '../../bundle/index.ts';
import { recallsOf } from '../../bundle/internal.ts';
import { classNames } from './class-names.ts';

/** Sentences; the last ones hold for every bundle. */
export function unknownsOf(bundle: BundleManifest): string[] {
  const { contract, measured, eightBit, provenance, uncounted, version, variants } = bundle;
  const classes = recallsOf(bundle);
  const missing = (variants[0]?.recall ?? []).filter((value) => value === null).length;
  const said: [when: boolean, sentence: string][] = [
    [!provenance.labelled, 'Whether any answer is right: the samples that measured have no labels.'],
    [
      provenance.labelled && missing > 0,
      `Recall of ${missing} of ${classes} classes: no sample of them measured.`,
    ],
    [classes > 0 && classNames(bundle) === undefined, 'What its classes are called.'],
    [contract === undefined, 'The steps from raw data to its input, beyond one sentence.'],
    [eightBit === undefined, 'Accuracy in eight bits.'],
    [
      eightBit !== undefined && variants.some((variant) => variant.eightBit === undefined),
      'Accuracy in eight bits of some variants.',
    ],
    [measured === undefined, 'Its speed on any machine.'],
    [(uncounted?.length ?? 0) > 0, 'The work of some operators, which count as 0.'],
    [version < SEALED_VERSION, 'Whether its figures and times are as they were written: they have no hash.'],
  ];
  return [...said.filter(([when]) => when).map(([, sentence]) => sentence), ...ALWAYS];
}

const ALWAYS: readonly string[] = [
  'Who trained the network, on which data, with which consent, and under which licence.',
  'Who the patients of the samples were: age, sex, illness, device, place; nor whether the same patients ranked and measured.',
  'Accuracy on data from anywhere else, and over time.',
  'Accuracy in groups of patients, and how many samples of each class measured.',
  'Whether its scores are calibrated, that is, whether 90 % means right in 9 of 10 cases.',
  'What it answers to inputs that are none of its classes: it names one all the same.',
];
