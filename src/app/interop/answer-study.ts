// One study: its images are chosen, fetched and answered, and a report with heat maps is stored in the same study.
import { type DicomWeb, heatMapCapture, measurementReport, readSource } from '../../interop/index.ts';
import {
  type AnsweredImage,
  type DicomObject,
  type FoundInstance,
  NOT_FOR_USE,
  reportUid,
  type SampleResult,
  type SourceInstance,
  uuidOf,
} from '../../interop/internal.ts';
import { BedsideError } from '../../util/index.ts';
import { readAnswer } from '../explain/answers.ts';
import { answerParts } from './answered-by.ts';
import type { FrameChoice, ImageAnswerer } from './answerer.ts';
import { heatMapOf } from './heat-map.ts';
import type { ResultOutlets } from './outlets.ts';

/** Which images of a study are answered. */
export interface ImageChoice {
  /** Of this modality, such as `DX`; default any but reports and other documents. */
  readonly modality?: string | undefined;
  /** Of this body part, as the series says it. */
  readonly bodyPart?: string | undefined;
  /** Whose series description has this text, in letters of any size. */
  readonly description?: string | undefined;
  /**
   * At most so many of a study, spread evenly over its images in order; default 1, the middle one. Where it has fewer images,
   * those with several frames have as many frames answered as make up that number, spread evenly.
   */
  readonly images?: number | undefined;
}

/** What a study is answered by. */
export interface StudyTools {
  readonly archive: DicomWeb;
  readonly answerer: ImageAnswerer;
  readonly choice: ImageChoice;
  readonly heatMaps: boolean;
  readonly outlets: ResultOutlets;
  readonly signal: AbortSignal;
}

/** What became of a study. */
export type StudyOutcome =
  | { readonly kind: 'answered'; readonly images: number; readonly heatMaps: number }
  /** The archive has this bundle's report of it. */
  | { readonly kind: 'already' }
  /** It has no image that is chosen. */
  | { readonly kind: 'passed over' };

/** Series of these hold no images to answer. */
const DOCUMENTS: ReadonlySet<string> = new Set(
  'AU DOC KO M3D OPM PLAN PR REG RESP RTDOSE RTPLAN RTRECORD RTSTRUCT RWV SEG SMR SR STAIN TEXTUREMAP'.split(
    ' ',
  ),
);

/**
 * Answers a study, unless the archive has its report already.
 * @throws BedsideError E_DATA, E_UNSUPPORTED and so on for what the study is; E_FABRIC, E_AUTH and so on where nothing answers now
 */
export async function answerStudy(studyUid: string, tools: StudyTools): Promise<StudyOutcome> {
  const { archive, answerer, signal, choice } = tools;
  const instances = await archive.instances(studyUid, signal);
  const report = reportUid(studyUid, answerer.by.bundle.sha256);
  if (instances.some(({ instanceUid }) => instanceUid === report)) return { kind: 'already' };
  const able = chosenInstances(instances, choice);
  const picked = spread(able, choice.images ?? 1);
  const answered: AnsweredImage[] = [];
  const maps: DicomObject[] = [];
  for (const own of picked) {
    const bytes = await archive.retrieve(studyUid, own, signal);
    const source = await readSource(bytes);
    // A heat map of ours, whatever its series is called.
    if (source.isOurs) continue;
    if (source.studyUid !== studyUid)
      throw new BedsideError('E_DATA', 'the archive sent an image of another study');
    const part =
      picked.length < able.length ? [`Image ${able.indexOf(own) + 1} of ${able.length} of its study.`] : [];
    const each = Math.max(1, Math.floor((choice.images ?? 1) / picked.length));
    for (const frame of framesOf(source.frames, each)) {
      const said = frame ? [...part, `Frame ${frame.index + 1} of ${frame.of} of its image.`] : part;
      const { image, map } = await answerImage(bytes, source, frame, said, tools);
      answered.push(image);
      if (map) maps.push(map);
    }
  }
  if (answered.length === 0) return { kind: 'passed over' };
  // On the disk first: once the report is in the archive, nobody answers this study again.
  for (const { result } of answered) await tools.outlets.send(result);
  // The report comes last, since it is what says that all is there.
  await archive.store(studyUid, [...maps, await measurementReport(answered)], signal);
  return { kind: 'answered', images: answered.length, heatMaps: maps.length };
}

/** At most so many frames of an image, spread evenly; undefined stands for the image itself, which has one. */
function framesOf(count: number, most: number): readonly (FrameChoice | undefined)[] {
  if (count === 1) return [undefined];
  return spread(
    Array.from({ length: count }, (_, index) => ({ index, of: count })),
    most,
  );
}

async function answerImage(
  bytes: Uint8Array,
  source: SourceInstance,
  frame: FrameChoice | undefined,
  said: readonly string[],
  { answerer, heatMaps, signal }: StudyTools,
): Promise<{ readonly image: AnsweredImage; readonly map: DicomObject | undefined }> {
  const { by, form } = answerer;
  const answer = await answerer.answer(bytes, signal, frame);
  const { studyUid, seriesUid, instanceUid, taken } = source;
  const { levels, policy, policySha256, devices, remarks } = answer;
  const result: SampleResult = {
    kind: 'sample',
    // The same image, asked of the same bundle, is the same result.
    id: uuidOf(
      'image',
      studyUid,
      instanceUid,
      by.bundle.sha256,
      ...(frame ? [`frame ${frame.index + 1}`] : []),
    ),
    issued: new Date().toISOString(),
    by,
    how: { levels: [levels], policy, policySha256, devices, remarks: [...said, ...remarks] },
    taken,
    study: { studyUid, seriesUid, instanceUid },
    exclusive: form.form.exclusive || form.form.task === 'single-label',
    parts: answerParts(form, readAnswer(form.form, answer.scores)),
  };
  const image = { result, source, frame: frame && frame.index + 1 };
  const picture = heatMaps ? heatMapOf(form, answer) : undefined;
  if (!picture) return { image, map: undefined };
  const found = result.parts
    .filter((part) => part.found)
    .map(({ name, probability }) => {
      return probability === undefined ? name : `${name} ${(100 * probability).toFixed(1)} %`;
    });
  const lines = [`WHAT MATTERS FOR: ${found.join(', ') || 'NONE'}`, 'PRELIMINARY, BY AN ALGORITHM'];
  return { image, map: await heatMapCapture(image, picture, lines) };
}

/** The images of a study that are chosen, in order. */
export function chosenInstances(instances: readonly FoundInstance[], choice: ImageChoice): FoundInstance[] {
  const { modality, bodyPart, description } = choice;
  const has = (text: string, part: string | undefined): boolean =>
    part === undefined || text.toLowerCase().includes(part.toLowerCase());
  return instances
    .filter((own) => (modality === undefined ? !DOCUMENTS.has(own.modality) : own.modality === modality))
    .filter((own) => bodyPart === undefined || own.bodyPart.toLowerCase() === bodyPart.toLowerCase())
    .filter((own) => has(own.seriesDescription, description) && !own.seriesDescription.includes(NOT_FOR_USE))
    .sort(
      (a, b) =>
        a.seriesNumber - b.seriesNumber ||
        compare(a.seriesUid, b.seriesUid) ||
        a.instanceNumber - b.instanceNumber ||
        compare(a.instanceUid, b.instanceUid),
    );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** So many of a list, spread evenly: of one the middle. */
export function spread<Item>(items: readonly Item[], count: number): Item[] {
  if (items.length <= count) return [...items];
  return Array.from(
    { length: count },
    (_, i) => items[Math.floor(((i + 0.5) * items.length) / count)] as Item,
  );
}
