// Makes ECG objects of DICOM.
import { dicomFile, imageElements, type MadeElement } from './dicom-file.ts';

/** A multiplexed group. */
export interface MadeGroup {
  readonly rate: number;
  readonly leads: readonly string[];
  readonly length: number;
  readonly unit: string;
  readonly sensitivity: number;
  readonly baseline: number;
}

/** SCP-ECG codes of the 12 leads. */
export const LEAD_CODES: Readonly<Record<string, string>> = {
  ...{
    I: '5.6.3-9-1',
    II: '5.6.3-9-2',
    III: '5.6.3-9-61',
    aVR: '5.6.3-9-62',
    aVL: '5.6.3-9-63',
    aVF: '5.6.3-9-64',
  },
  ...{ V1: '5.6.3-9-3', V2: '5.6.3-9-4', V3: '5.6.3-9-5', V4: '5.6.3-9-6', V5: '5.6.3-9-7', V6: '5.6.3-9-8' },
};

const element = (tag: string, vr: string, value: MadeElement[2]): MadeElement => [tag, vr, value];
const code = (value: string, meaning: string, scheme = 'SCPECG'): MadeElement[] => [
  element('00080100', 'SH', value),
  element('00080102', 'SH', scheme),
  element('00080104', 'LO', meaning),
];

/** An annotation of a group (from 1), at samples (from 1) or seconds. */
export interface MadeNote {
  readonly text?: string;
  /** Its concept, and the element that holds it: the concept's name (default), or its value. */
  readonly code?: {
    readonly value: string;
    readonly scheme?: string;
    readonly meaning: string;
    readonly tag?: string;
  };
  /** Temporal Range Type; default by the number of points. */
  readonly type?: string;
  readonly group?: number;
  readonly samples?: readonly number[];
  readonly seconds?: readonly number[];
}

/** A file of ECG whose elements that identify hold `MARKS`. */
export function ecgFile(groups: readonly MadeGroup[], notes: readonly MadeNote[] = []): Uint8Array {
  const noImage = imageElements({ rows: 1, columns: 1, pixels: [0] }).filter(
    ([tag]) => !/^(0028|7FE0)/.test(tag),
  );
  const kept = noImage.filter(([tag]) => tag !== '00080016' && tag !== '00080060');
  const sequence = groups.map((group, g) => groupOf(group, g));
  return dicomFile([
    ...kept,
    element('00080016', 'UI', '1.2.840.10008.5.1.4.1.1.9.1.2'),
    element('00080060', 'CS', 'ECG'),
    ...(notes.length > 0 ? [element('0040B020', 'SQ', notes.map(noteOf))] : []),
    ...(sequence.length > 0 ? [element('54000100', 'SQ', sequence)] : []),
  ]);
}

function noteOf({ text, code: own, type, group = 1, samples, seconds }: MadeNote): MadeElement[] {
  const tag = own?.tag ?? '0040A043';
  const concept = own && element(tag, 'SQ', [code(own.value, own.meaning, own.scheme ?? 'MDC')]);
  const points = samples?.length === 1 || seconds?.length === 1 ? 'POINT' : 'MULTIPOINT';
  return [
    ...(concept && tag === '0040A043' ? [concept] : []),
    element('0040A0B0', 'US', [group, 0]),
    element('0040A130', 'CS', type ?? points),
    ...(samples ? [element('0040A132', 'UL', [...samples])] : []),
    ...(seconds ? [element('0040A138', 'DS', seconds.join('\\'))] : []),
    ...(concept && tag !== '0040A043' ? [concept] : []),
    ...(text === undefined ? [] : [element('00700006', 'ST', text)]),
  ];
}

function groupOf({ rate, leads, length, unit, sensitivity, baseline }: MadeGroup, g: number): MadeElement[] {
  const samples = Int16Array.from({ length: length * leads.length }, (_, at) => {
    const [i, lead] = [Math.floor(at / leads.length), at % leads.length];
    return Math.round(300 * Math.sin((i * (lead + 1)) / 40 + g) + (i % 400 === 200 ? 900 : 0));
  });
  const channels = leads.map((lead) => [
    element('003A0208', 'SQ', [code(LEAD_CODES[lead] ?? 'X', `Lead ${lead}`)]),
    element('003A0210', 'DS', String(sensitivity)),
    element('003A0211', 'SQ', [code(unit, unit)]),
    element('003A0212', 'DS', '1'),
    element('003A0213', 'DS', String(baseline)),
    element('003A0215', 'DS', '0'),
    element('003A021A', 'US', [16]),
  ]);
  return [
    element('00181068', 'DS', '0'),
    element('003A0004', 'CS', 'ORIGINAL'),
    element('003A0005', 'US', [leads.length]),
    element('003A0010', 'UL', [length]),
    element('003A001A', 'DS', String(rate)),
    element('003A0200', 'SQ', channels),
    element('54001004', 'US', [16]),
    element('54001006', 'CS', 'SS'),
    element('54001010', 'OW', new Uint8Array(samples.buffer)),
  ];
}
