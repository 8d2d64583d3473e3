// Messages against the definition of ORU^R01 of HL7 v2.5.1, as the package hl7-dictionary has it: order and number of segments,
// required fields, repetitions, data types, lengths, values of tables.
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import type { Result } from '../result.ts';
import { BEATS, IMAGE } from '../test-support/results.ts';
import { messageOf } from './message.ts';

interface Part {
  readonly datatype: string;
  readonly desc: string;
  /** 2: required. */
  readonly opt: number;
  /** 0: any number of times. */
  readonly rep: number;
  readonly len: number;
  readonly table?: number;
}
interface Node {
  readonly name: string;
  readonly min: number;
  /** 0: any number of times. */
  readonly max: number;
  readonly children?: readonly Node[];
}
interface Dictionary {
  readonly definitions: Readonly<
    Record<
      string,
      {
        readonly fields: Readonly<Record<string, { readonly subfields: readonly Part[] }>>;
        readonly segments: Readonly<Record<string, { readonly fields: readonly Part[] }>>;
        readonly messages: Readonly<
          Record<string, { readonly segments: { readonly segments: readonly Node[] } }>
        >;
      }
    >
  >;
  readonly tables: Readonly<Record<number, { readonly values: Readonly<Record<string, string>> }>>;
}

function load(): Dictionary | undefined {
  try {
    return createRequire(import.meta.url)('hl7-dictionary') as Dictionary;
  } catch {
    return undefined;
  }
}
const dictionary = load();
if (!dictionary) console.log('skipped: HL7 v2 against its definition needs the package hl7-dictionary');
const VERSION = dictionary?.definitions['2.5.1'];

/** How many segments a sequence of the grammar takes; undefined where it does not fit. */
function taken(nodes: readonly Node[], names: readonly string[]): number | undefined {
  let at = 0;
  for (const { name, min, max, children } of nodes) {
    let times = 0;
    for (; max === 0 || times < max; times++) {
      const own = children ? taken(children, names.slice(at)) : names[at] === name ? 1 : undefined;
      if (own === undefined || own === 0) break;
      at += own;
    }
    if (times < min) return undefined;
  }
  return at;
}

/** Names of tables that a site or a later version adds to: 99zzz of 0396, and what MIME has. */
const ADDED: Readonly<Record<number, RegExp>> = { 396: /^99[A-Z]/, 291: /^PLAIN$/ };
/** The field tables say 22 for what chapter 2A lets have 427 characters (EI). */
const LONG: ReadonlySet<string> = new Set(['OBR-3', 'OBX-18']);

const PRIMITIVES: Readonly<Record<string, RegExp>> = {
  SI: /^\d{1,4}$/,
  NM: /^[+-]?\d+(\.\d+)?$/,
  DTM: /^\d{4}(\d\d(\d\d(\d\d(\d\d(\d\d(\.\d{1,4})?)?)?)?)?)?([+-]\d{4})?$/,
  // Where a field is of any type, this alone bounds it.
  ST: /^[^|^~&\r\n]{0,199}$/,
  TX: /^[^|^&\r\n]*$/,
  FT: /^[^|^~&\r\n]*$/,
  ID: /^[^|^~&\r\n]*$/,
  IS: /^[^|^~&\r\n]*$/,
};

/** Faults of a value of a data type, in words. @param split separators of the levels below */
function faultsOf(
  where: string,
  type: string,
  value: string,
  [separator = '', ...below]: readonly string[],
): string[] {
  const parts = VERSION?.fields[type]?.subfields ?? [];
  const primitive = PRIMITIVES[type];
  if (primitive) return primitive.test(value) ? [] : [`${where} is no ${type}: ${value.slice(0, 40)}`];
  if (parts.length === 0) return [`${where} has the unknown type ${type}`];
  const values = separator === '' ? [value] : value.split(separator);
  if (values.length > parts.length) return [`${where} has ${values.length} parts of ${parts.length}`];
  return parts.flatMap((part, i) => {
    const own = values[i] ?? '';
    const place = `${where}.${i + 1}`;
    if (own === '') return part.opt === 2 ? [`${place} is missing`] : [];
    return [
      ...(own.length > part.len ? [`${place} has ${own.length} characters of ${part.len}`] : []),
      ...tableFaults(place, part, own),
      ...faultsOf(place, part.datatype, own, below),
    ];
  });
}

function tableFaults(where: string, { datatype, table }: Part, value: string): string[] {
  const values = table === undefined ? undefined : dictionary?.tables[table]?.values;
  if (datatype !== 'ID' || values === undefined || table === undefined) return [];
  return Object.hasOwn(values, value) || ADDED[table]?.test(value)
    ? []
    : [`${where}: ${value} is not in table ${table}`];
}

function segmentFaults(line: string): string[] {
  const name = line.slice(0, 3);
  const fields = VERSION?.segments[name]?.fields;
  if (!fields) return [`there is no segment ${name}`];
  const values = line.split('|').slice(1);
  if (name === 'MSH') values.unshift('|');
  if (values.length > fields.length) return [`${name} has ${values.length} fields of ${fields.length}`];
  return fields.flatMap((field, i): string[] => {
    const [where, value] = [`${name}-${i + 1}`, values[i] ?? ''];
    if (value === '') return field.opt === 2 ? [`${where} is missing`] : [];
    if (name === 'MSH' && i < 2) return value === ['|', '^~\\&'][i] ? [] : [`${where} is ${value}`];
    const type = field.datatype === 'VARIES' ? (values[1] ?? '') : field.datatype;
    const repeated = value.split('~');
    return [
      ...(field.rep === 1 && repeated.length > 1 ? [`${where} is repeated`] : []),
      ...repeated.flatMap((own) => [
        ...(own.length > field.len && !LONG.has(where)
          ? [`${where} has ${own.length} characters of ${field.len}`]
          : []),
        ...tableFaults(where, field, own),
        ...faultsOf(where, type, own, ['^', '&']),
      ]),
    ];
  });
}

function faults(text: string): string[] {
  const lines = text.split('\r').slice(0, -1);
  const grammar = VERSION?.messages.ORU_R01?.segments.segments ?? [];
  const names = lines.map((line) => line.slice(0, 3));
  const fits =
    taken(grammar, names) === names.length ? [] : [`the order of segments is wrong: ${names.join(' ')}`];
  return [...fits, ...lines.flatMap(segmentFaults)];
}

const NASTY = 'a|b^c~d\\e&f µV – 心\r\nMSH|x';
const PATIENT = '123^^^WARD&1.2.3&ISO^MR';
const RULES = `couplet: ${'two beats of class V in a row; '.repeat(12)}`;
const long = 'x'.repeat(400);
const counted = { couplets: 1, ventricularRuns: 0, pauses: 0, rules: RULES };

const RESULTS: readonly (readonly [string, Result])[] = [
  ['beats', BEATS],
  ['beats of a patient, with long rules', { ...BEATS, patientIdentifier: PATIENT, rhythm: counted }],
  [
    'beats without ventricular classes',
    { ...BEATS, rhythm: { ...counted, couplets: null, ventricularRuns: null } },
  ],
  ['no beats', { ...BEATS, beats: [], heartRate: undefined, rhythm: undefined, lead: undefined }],
  ['classes of any name', { ...BEATS, classes: [NASTY, long, '&'.repeat(90), 'F', 'Q'] }],
  ['an image', IMAGE],
  [
    'many labels',
    {
      ...IMAGE,
      exclusive: false,
      parts: [NASTY, long, '^'.repeat(150)].map((name) => ({ name, probability: 1e-9, found: true })),
    },
  ],
  [
    'values of a file',
    {
      ...IMAGE,
      study: undefined,
      parts: [
        { name: long, value: -61.25, found: true },
        { name: 'y', found: false },
      ],
    },
  ],
];

describe.runIf(dictionary)('a message of HL7 v2', () => {
  it.each(RESULTS)('of %s is as its definition says', (_, result) => {
    expect(faults(messageOf(result).text)).toEqual([]);
  });

  it('that is wrong is found out', () => {
    const { text } = messageOf(BEATS);
    const wrong = (from: RegExp, to: string): string => faults(text.replace(from, to)).join();
    expect(wrong(/OBR[^\r]*\r/, '')).toContain('the order of segments');
    expect(wrong(/\|P\|2\.5\.1/, '||2.5.1')).toContain('MSH-11 is missing');
    expect(wrong(/\|P\|2\.5\.1/, '|X|2.5.1')).toContain('X is not in table 103');
    expect(wrong(/OBX\|1\|NM\|/, 'OBX|1|XX|')).toContain('XX is not in table 125');
    expect(wrong(/\|70\.5882\|/, '|7e1|')).toContain('is no NM: 7e1');
    expect(wrong(/\|1\|70\.5882/, `|${'1'.repeat(30)}|70`)).toContain('30 characters of 20');
    expect(wrong(/\^LN\|1\|/, '^OTHER|1|')).toContain('OTHER is not in table 396');
  });
});
