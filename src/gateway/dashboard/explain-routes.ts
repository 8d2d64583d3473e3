// What the page Explain shows: a sample that was sent or picked, answered twice, with the relevance of its input.
import { measureTerm } from '../../bundle/internal.ts';
import type { FloatTensor } from '../../engine/index.ts';
import { BedsideError } from '../../util/index.ts';
import { channelsOf } from '../../util/internal.ts';
import { decompressed } from '../http/body.ts';
import { fileRequest, type Query, queryScalars, rawFileOf } from '../http/raw-file.ts';
import { recordOf } from '../observe/audit-record.ts';
import { readInferRequest, type Scalar } from '../protocol/infer-request.ts';
import type { DeskAnswer, DeskExplanation, ExplainDesk } from '../service/explain-desk.ts';
import { type AddRoutes, sendValue } from './api.ts';
import type { Explained, ExplainedSide, ExplainInfo } from './wire-explain.ts';

interface ModelPath {
  Params: { name: string };
  Querystring: Query;
}

/** Values of one sample that go to a page. */
const MOST_VALUES = 2 ** 22;

const AGREEMENT: Readonly<Record<string, string>> = {
  'single-label': 'the same class',
  binary: 'the same answer',
  'multi-label': 'the same set of labels',
  segmentation: 'Dice of the two masks',
  regression: 'the same value',
  embedding: 'cosine of the two vectors',
};

/**
 * `GET /api/models/NAME/explain`; `POST …/explain` with a file and its content type, tensors of the protocol as JSON, or
 * `{"sample": 3}`. Query: `levels` or `variant`, `class`, and `index` of a file with several samples.
 */
export const addExplainRoutes: AddRoutes = (app, { explainers, log, bodyLimit }) => {
  const path = '/api/models/:name/explain';
  const config = { role: 'explain' } as const;
  const desk = ({ name }: { name: string }): ExplainDesk => {
    const found = explainers.get(name);
    if (found) return found;
    throw new BedsideError('E_NOT_FOUND', `there is no model '${name.slice(0, 100)}'`);
  };
  app.get<ModelPath>(path, { config }, ({ params }, reply) => sendValue(reply, infoOf(desk(params))));
  app.post<ModelPath>(path, { config }, async (request, reply) => {
    const own = desk(request.params);
    const { model } = own;
    const gone = new AbortController();
    reply.raw.on('close', () => {
      if (!reply.raw.writableEnded) gone.abort();
    });
    try {
      const sent = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      const bytes = await decompressed(sent, request.headers['content-encoding'], bodyLimit);
      const { class: subject, index = 0, name: _, ...parameters } = queryScalars(request.query);
      const chosen = await sampleOf(own, { bytes, request, index, gone: gone.signal, bodyLimit });
      if (chosen.sample.data.length > MOST_VALUES) {
        throw new BedsideError(
          'E_TOO_LARGE',
          `a sample of more than ${MOST_VALUES} values is not shown here`,
          {
            hint: 'ask by the protocol: POST /v2/models/NAME/explain',
          },
        );
      }
      const choice = { parameters, subject: wholeOf(subject, 'class') };
      const found = await own.explain(chosen.sample, choice, gone.signal, async (served) => {
        await log?.append(recordOf('explain', request.caller.name, model, served));
      });
      return sendValue(reply, explainedOf(own, chosen, found, choice.subject));
    } catch (error) {
      const code = BedsideError.is(error) ? error.code : 'E_INTERNAL';
      const { name, bundle } = model;
      await log?.append({
        ...{ event: 'explain', caller: request.caller.name, model: name, bundle: bundle.sha256, error: code },
      });
      throw error;
    }
  });
};

/** A sample, and where it is from. */
interface Chosen {
  readonly sample: FloatTensor;
  readonly index: number;
  readonly of: number;
  readonly label?: string | undefined;
  readonly remarks: readonly string[];
}

interface Sent {
  readonly bytes: Buffer;
  readonly request: { readonly headers: Parameters<typeof rawFileOf>[0]; readonly query: Query };
  readonly index: Scalar;
  readonly gone: AbortSignal;
  readonly bodyLimit: number;
}

/** @throws BedsideError E_REQUEST, E_NOT_FOUND; as `postedSamples` and `readInferRequest` */
async function sampleOf(
  desk: ExplainDesk,
  { bytes, request, index, gone, bodyLimit }: Sent,
): Promise<Chosen> {
  const { model } = desk;
  const at = wholeOf(index, 'index') ?? 0;
  const raw = rawFileOf(request.headers, request.query);
  if (raw) {
    fileRequest(raw, bytes, {});
    const { samples, remarks, skipped } = await model.readFile({ bytes, name: raw.name }, gone, bodyLimit);
    const size = samples.samples.length / samples.size;
    const values = samples.samples.slice(at * size, (at + 1) * size);
    assertIndex(at, samples.size);
    const [sample] = model.rowsOf(values, 1);
    const left = skipped.map(({ reason, count }) => `left out: ${count} ${reason}`);
    return { sample: sample as FloatTensor, index: at, of: samples.size, remarks: [...remarks, ...left] };
  }
  const pick = pickOf(bytes);
  if (pick !== undefined) return { ...desk.picked(pick), index: pick, of: 1, remarks: [] };
  const samples = model.samplesOf(readInferRequest(bytes, undefined).inputs);
  assertIndex(at, samples.length);
  return { sample: samples[at] as FloatTensor, index: at, of: samples.length, remarks: [] };
}

/** The number in `{"sample": 3}`; undefined for another body. */
function pickOf(bytes: Buffer): number | undefined {
  if (bytes.length > 64) return undefined;
  try {
    const { sample } = JSON.parse(bytes.toString()) as { sample?: unknown };
    return typeof sample === 'number' ? sample : undefined;
  } catch {
    return undefined;
  }
}

function assertIndex(index: number, size: number): void {
  if (index < size) return;
  throw new BedsideError('E_REQUEST', `there is no sample ${index}: ${size} were sent`);
}

function wholeOf(value: Scalar | undefined, name: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw new BedsideError('E_REQUEST', `parameter \`${name}\` is not a whole number`);
}

function infoOf({ model, form, samples, classNames }: ExplainDesk): ExplainInfo {
  const { manifest } = model.bundle;
  return {
    model: model.name,
    task: form.form.task,
    classNames,
    inputs: form.inputs,
    maskNames: form.form.exclusive
      ? classNames
      : ['none', ...(channelsOf(form.form) === 1 ? ['mask'] : classNames)],
    preprocessing: manifest.preprocessing.description,
    measure: measureTerm(manifest.accuracy),
    variants: manifest.variants.map(({ levels, accuracy, macs }, index) => ({
      index,
      levels,
      accuracy,
      macs,
    })),
    choosesClass: form.form.task === 'single-label' || form.form.task === 'multi-label',
    samples: samples
      ? {
          name: samples.dataset.name.split(/[\\/]/).filter(Boolean).at(-1) ?? '',
          picks: samples.labels.map((label, index) => ({ index, label })),
        }
      : null,
  };
}

function explainedOf(
  desk: ExplainDesk,
  { sample, index, of, label, remarks }: Chosen,
  { chosen, unpruned, agreement, relevanceAgreement }: DeskExplanation,
  subject: number | undefined,
): Explained {
  return {
    ...{ index, of, label, remarks },
    inputs: partsOf(desk, sample.data),
    subject: subjectOf(desk, chosen, subject),
    chosen: sideOf(desk, chosen),
    unpruned: 'refused' in unpruned ? unpruned : sideOf(desk, unpruned),
    isUnpruned: chosen === unpruned,
    agreement: agreement ?? null,
    agreementIs: AGREEMENT[desk.form.form.task] ?? '',
    relevanceAgreement: relevanceAgreement ?? null,
  };
}

function sideOf(desk: ExplainDesk, { served, levels, read, relevance }: DeskAnswer): ExplainedSide {
  const { devices, fallback } = served.answer.parameters;
  const { mask, ...answer } = read;
  return {
    ...{ levels, variant: served.variant ?? null, devices: String(devices).split(',') },
    ...{ computed: served.computed, fallback: String(fallback), ...answer },
    mask: mask && { shape: mask.shape, data: Buffer.from(mask.data).toString('base64') },
    relevance:
      'refused' in relevance
        ? relevance
        : { inputs: partsOf(desk, relevance.values), share: relevance.share },
  };
}

/** Values of each input in base64. */
function partsOf({ form }: ExplainDesk, row: Float32Array): string[] {
  let at = 0;
  return form.inputs.map(({ shape }) => {
    const size = shape.reduce((product, axis) => product * axis, 1);
    const part = row.subarray(at, at + size);
    at += size;
    return Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString('base64');
  });
}

/** What is explained, in words. */
function subjectOf(
  { form, classNames }: ExplainDesk,
  { read }: DeskAnswer,
  subject: number | undefined,
): string {
  const name = (i: number): string => classNames[i] ?? String(i);
  const { task, scores } = form.form;
  if (subject !== undefined) return name(subject);
  const found = read.found ?? [];
  switch (task) {
    case 'single-label':
    case 'binary':
      return name(found[0] ?? 0);
    case 'multi-label':
      return found.length === 0 ? 'the highest label' : `the labels ${found.map(name).join(', ')}`;
    case 'segmentation':
      return 'the mask found';
    case 'regression':
      return scores === 1 ? 'the value' : `the sum of ${scores} values`;
    default:
      return 'the squared norm of the vector';
  }
}
