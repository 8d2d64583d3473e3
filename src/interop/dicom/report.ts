// An answer as a structured report: TID 1500 "Measurement Report" of DICOM PS3.16, unverified and preliminary, in the study of
// the image that was answered.

import { BedsideError, must } from '../../util/index.ts';
import { sha256Of } from '../../util/internal.ts';
import type { AnswerPart, SampleResult } from '../result.ts';
import {
  type Code,
  codeItem,
  codeOf,
  container,
  imageItem,
  numberItem,
  textItem,
  uidItem,
} from './content.ts';
import { type Attributes, writeDicom } from './file.ts';
import { MANUFACTURER, type SourceInstance } from './source.ts';
import { uidOf } from './uid.ts';

/** Comprehensive SR. */
const SOP_CLASS = '1.2.840.10008.5.1.4.1.1.88.33';
/** Codes of classes: no scheme that is not ours has those of any network. */
const OWN_SCHEME = '99BEDSIDE';

const CODES = {
  report: ['126000', 'DCM', 'Imaging Measurement Report'],
  language: ['121049', 'DCM', 'Language of Content Item and Descendants'],
  english: ['en', 'RFC5646', 'English'],
  observerType: ['121005', 'DCM', 'Observer Type'],
  device: ['121007', 'DCM', 'Device'],
  deviceUid: ['121012', 'DCM', 'Device Observer UID'],
  deviceName: ['121013', 'DCM', 'Device Observer Name'],
  deviceModel: ['121015', 'DCM', 'Device Observer Model Name'],
  procedure: ['121058', 'DCM', 'Procedure reported'],
  imaging: ['363679005', 'SCT', 'Imaging procedure'],
  library: ['111028', 'DCM', 'Image Library'],
  libraryGroup: ['126200', 'DCM', 'Image Library Group'],
  measurements: ['126010', 'DCM', 'Imaging Measurements'],
  group: ['125007', 'DCM', 'Measurement Group'],
  trackingId: ['112039', 'DCM', 'Tracking Identifier'],
  trackingUid: ['112040', 'DCM', 'Tracking Unique Identifier'],
  algorithm: ['111001', 'DCM', 'Algorithm Name'],
  algorithmParameters: ['111002', 'DCM', 'Algorithm Parameters'],
  algorithmVersion: ['111003', 'DCM', 'Algorithm Version'],
  finding: ['121071', 'DCM', 'Finding'],
  certainty: ['111012', 'DCM', 'Certainty of Finding'],
  source: ['121112', 'DCM', 'Source of Measurement'],
  inAnswer: ['IN-ANSWER', OWN_SCHEME, 'Part of the answer'],
  value: ['VALUE', OWN_SCHEME, 'Value by the network'],
  yes: ['373066001', 'SCT', 'Yes'],
  no: ['373067005', 'SCT', 'No'],
  percent: ['%', 'UCUM', 'Percent'],
  one: ['1', 'UCUM', 'no units'],
} as const satisfies Record<string, Code>;

/** Most classes of a report. */
const MOST_PARTS = 256;

/** A DICOM object to store. */
export interface DicomObject {
  readonly instanceUid: string;
  readonly bytes: Uint8Array;
}

/** An image of a study, and its answer. */
export interface AnsweredImage {
  readonly result: SampleResult;
  readonly source: SourceInstance;
  /** Of an image that has several: which, from 1. */
  readonly frame?: number | undefined;
}

/** The UID of the one report that a bundle gives of a study: whoever finds it need not answer again. */
export function reportUid(studyUid: string, bundleSha256: string): string {
  return uidOf('report', studyUid, bundleSha256);
}

/**
 * The report of one or more images of a study.
 * @throws BedsideError E_UNSUPPORTED for answers without classes or values, or with too many, or where dcmjs is not installed
 */
export async function measurementReport(images: readonly AnsweredImage[]): Promise<DicomObject> {
  const { result, source } = must(images[0], 'an image of the report');
  const parts = images.reduce((sum, own) => sum + own.result.parts.length, 0);
  if (parts === 0 || parts > MOST_PARTS) {
    throw new BedsideError(
      'E_UNSUPPORTED',
      `a DICOM report of ${parts} classes or values cannot be written`,
      {
        hint: `it takes from 1 to ${MOST_PARTS} of all images`,
      },
    );
  }
  const instanceUid = reportUid(source.studyUid, result.by.bundle.sha256);
  const { date, time } = dicomTime(result.issued);
  return {
    instanceUid,
    bytes: await writeDicom({
      ...source.shared,
      ...{ SOPClassUID: SOP_CLASS, SOPInstanceUID: instanceUid, Modality: 'SR' },
      ...{
        SeriesInstanceUID: uidOf('report series', source.studyUid, result.by.bundle.sha256),
        SeriesNumber: '9001',
        InstanceNumber: '1',
      },
      SeriesDescription: `Preliminary answer of ${label(result.by.bundle.name, 40)}`,
      ...equipment(result),
      ...{ SeriesDate: date, SeriesTime: time, ContentDate: date, ContentTime: time },
      ReferencedPerformedProcedureStepSequence: [],
      PerformedProcedureCodeSequence: [],
      CompletionFlag: 'PARTIAL',
      CompletionFlagDescription: 'An algorithm wrote it, and no clinician has confirmed it',
      ...{ VerificationFlag: 'UNVERIFIED', PreliminaryFlag: 'PRELIMINARY' },
      CodingSchemeIdentificationSequence: [
        {
          CodingSchemeDesignator: OWN_SCHEME,
          CodingSchemeName: 'Classes of networks, as bedside names them',
        },
      ],
      CurrentRequestedProcedureEvidenceSequence: [evidence(images.map((own) => own.source))],
      ...{ ValueType: 'CONTAINER', ContinuityOfContent: 'SEPARATE' },
      ConceptNameCodeSequence: [codeOf(CODES.report)],
      ContentTemplateSequence: [{ MappingResource: 'DCMR', TemplateIdentifier: '1500' }],
      ContentSequence: contentOf(images),
    }),
  };
}

function contentOf(images: readonly AnsweredImage[]): Attributes[] {
  const { by } = must(images[0], 'an image of the report').result;
  return [
    codeItem('HAS CONCEPT MOD', CODES.language, CODES.english),
    codeItem('HAS OBS CONTEXT', CODES.observerType, CODES.device),
    uidItem('HAS OBS CONTEXT', CODES.deviceUid, uidOf('device', by.bundle.sha256)),
    textItem('HAS OBS CONTEXT', CODES.deviceName, 'bedside'),
    textItem('HAS OBS CONTEXT', CODES.deviceModel, label(by.bundle.name, 64)),
    codeItem('HAS CONCEPT MOD', CODES.procedure, CODES.imaging),
    container('CONTAINS', CODES.library, [
      container(
        'CONTAINS',
        CODES.libraryGroup,
        images.map(({ source, frame }) => imageItem('CONTAINS', undefined, source, frame)),
      ),
    ]),
    container(
      'CONTAINS',
      CODES.measurements,
      images.flatMap((image) => image.result.parts.map((part) => measurementGroup(part, image))),
    ),
  ];
}

/** One class or value (TID 1501), with the algorithm that gave it (TID 4019). */
function measurementGroup(part: AnswerPart, { result, source, frame }: AnsweredImage): Attributes {
  const { by, how, id } = result;
  const from = imageItem('INFERRED FROM', CODES.source, source, frame);
  const name = label(part.name, 64);
  const levels = how.levels.map((own) => own.join(',')).join('; ');
  const value =
    part.probability !== undefined
      ? [numberItem(CODES.certainty, 100 * part.probability, CODES.percent, [from])]
      : part.value !== undefined
        ? [numberItem(CODES.value, part.value, CODES.one, [from])]
        : [];
  const asked =
    part.value === undefined ? [codeItem('CONTAINS', CODES.inAnswer, part.found ? CODES.yes : CODES.no)] : [];
  return container('CONTAINS', CODES.group, [
    textItem('HAS OBS CONTEXT', CODES.trackingId, name),
    uidItem('HAS OBS CONTEXT', CODES.trackingUid, uidOf(id, 'part', part.name)),
    codeItem('CONTAINS', CODES.finding, [sha256Of(part.name).slice(0, 12), OWN_SCHEME, name]),
    textItem('HAS CONCEPT MOD', CODES.algorithm, label(by.bundle.name, 64)),
    textItem('HAS CONCEPT MOD', CODES.algorithmVersion, by.bundle.sha256),
    textItem(
      'HAS CONCEPT MOD',
      CODES.algorithmParameters,
      `levels ${levels || 'unknown'}, chosen by ${how.policy}`,
    ),
    ...value,
    ...asked,
  ]);
}

/** The study, and the series and instances of it that the report rests on. */
function evidence(all: readonly SourceInstance[]): Attributes {
  // Several frames are of one instance.
  const sources = [...new Map(all.map((own) => [own.instanceUid, own])).values()];
  const series = new Set(sources.map(({ seriesUid }) => seriesUid));
  return {
    StudyInstanceUID: sources[0]?.studyUid,
    ReferencedSeriesSequence: Array.from(series, (uid) => ({
      SeriesInstanceUID: uid,
      ReferencedSOPSequence: sources
        .filter(({ seriesUid }) => seriesUid === uid)
        .map(({ sopClass, instanceUid }) => ({
          ReferencedSOPClassUID: sopClass,
          ReferencedSOPInstanceUID: instanceUid,
        })),
    })),
  };
}

/** What made an object. */
export function equipment({ by }: SampleResult): Attributes {
  return {
    Manufacturer: MANUFACTURER,
    ManufacturerModelName: label(by.bundle.name, 64),
    DeviceSerialNumber: by.bundle.sha256,
    SoftwareVersions: Object.entries(by.versions).map(([name, version]) => label(`${name} ${version}`, 64)),
  };
}

/** A moment as DICOM writes it without a time zone: in that of this machine, as other times of the study are local. */
export function dicomTime(iso: string): { readonly date: string; readonly time: string } {
  const at = new Date(iso);
  const two = (value: number): string => String(value).padStart(2, '0');
  return {
    date: `${at.getFullYear()}${two(at.getMonth() + 1)}${two(at.getDate())}`,
    time: `${two(at.getHours())}${two(at.getMinutes())}${two(at.getSeconds())}`,
  };
}

/** A text as an attribute takes it: no backslash, which separates values, no control characters, and not too long. */
export function label(text: string, most: number): string {
  const plain = text.replace(/[\\\p{Cc}]/gu, ' ').trim();
  return Array.from(plain).slice(0, most).join('') || 'unnamed';
}
