// Requests whose body is a file: an image, a recording, an array, a zip. Parameters of the protocol are then those of the query.
import type { IncomingHttpHeaders } from 'node:http';
import { kindOfContent, type PostedKind } from '../../app/index.ts';
import { BedsideError } from '../../util/index.ts';
import type { InferRequest, Scalar } from '../protocol/infer-request.ts';

/** A file that was posted: what its sender says that it is. */
export interface RawFile {
  readonly kind: PostedKind;
  /** How messages call it: a name of its sender's, without folders. */
  readonly name: string;
}

/** The query of a request; the same name twice makes a list. */
export type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

const TYPES: Readonly<Record<string, PostedKind>> = {
  'application/zip': 'archive',
  'application/x-zip-compressed': 'archive',
  'application/x-npz': 'archive',
  'application/x-npy': 'array',
  'application/edf': 'edf',
  'application/x-edf': 'edf',
  'application/dicom': 'dicom',
  'application/x-nifti': 'nifti',
  'application/gzip': 'nifti',
  'application/x-gzip': 'nifti',
};

const ENDINGS: Readonly<Record<string, PostedKind>> = {
  npy: 'array',
  npz: 'archive',
  zip: 'archive',
  edf: 'edf',
  bdf: 'edf',
  rec: 'edf',
  dcm: 'dicom',
  nii: 'nifti',
  gz: 'nifti',
};
const IMAGE_ENDING = /^(jpe?g|jpe|jfif|png|webp|gif|tiff?|avif|bmp|dib|p[gpn]m)$/;
const WHAT: Readonly<Record<PostedKind, string>> = {
  image: 'an image',
  array: 'an array of NumPy',
  archive: 'an archive',
  edf: 'a recording of EDF or BDF',
  dicom: 'an object of DICOM',
  nifti: 'a volume of NIfTI-1',
};
const NAMES: Readonly<Record<PostedKind, string>> = {
  image: 'image',
  array: 'array.npy',
  archive: 'archive.zip',
  edf: 'recording.edf',
  dicom: 'object.dcm',
  nifti: 'volume.nii',
};
const MOST_NAME = 200;

/**
 * What a body is by its content type, or for `application/octet-stream` and none by its name: the parameter `name` of the
 * query, or the file name of `Content-Disposition`. Undefined for a request of the protocol itself.
 * @throws BedsideError E_REQUEST for a name whose ending says nothing
 */
export function rawFileOf(headers: IncomingHttpHeaders, query: Query): RawFile | undefined {
  if (headers['inference-header-content-length'] !== undefined) return undefined;
  const type = (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  const name = nameOf(headers, query);
  const kind = type.startsWith('image/') ? 'image' : Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
  if (kind) return { kind, name: name ?? NAMES[kind] };
  if (name === undefined || !['', 'application/octet-stream'].includes(type)) return undefined;
  const ending = /\.([^.]+)$/.exec(name)?.[1]?.toLowerCase() ?? '';
  const named = IMAGE_ENDING.test(ending)
    ? 'image'
    : Object.hasOwn(ENDINGS, ending)
      ? ENDINGS[ending]
      : undefined;
  if (named) return { kind: named, name };
  throw new BedsideError('E_REQUEST', `the name '${name}' does not say what the body is`, {
    hint: 'an image, .dcm, .nii, .nii.gz, .edf, .bdf, .npy, .npz or .zip (a WFDB record, images)',
  });
}

/**
 * The request that belongs to a file.
 * @throws BedsideError E_REQUEST where the content is of another kind than its sender says, or a parameter is none
 */
export function fileRequest(
  { kind, name }: RawFile,
  bytes: Uint8Array,
  query: Query,
): Omit<InferRequest, 'inputs'> {
  if (bytes.byteLength === 0) throw new BedsideError('E_REQUEST', `${name} is empty`);
  const found = kindOfContent(bytes);
  if (found !== kind) {
    throw new BedsideError('E_REQUEST', `${name} was sent as ${WHAT[kind]}, and is not one`, {
      hint: found === 'image' ? 'check what was sent' : `its content is ${WHAT[found]}: send it as such`,
    });
  }
  const { id, name: _, ...rest } = queryScalars(query);
  const { binary_data_output: binary = false, ...parameters } = rest;
  if (typeof binary !== 'boolean') {
    throw new BedsideError('E_REQUEST', 'parameter `binary_data_output` is not true or false');
  }
  if (id !== undefined && String(id).length > MOST_NAME) {
    throw new BedsideError('E_REQUEST', `\`id\` is longer than ${MOST_NAME} characters`);
  }
  return { id: id === undefined ? undefined : String(query.id), outputs: undefined, binary, parameters };
}

/**
 * Parameters of a query as scalars: numbers and true or false where they are some.
 * @throws BedsideError E_REQUEST for one that is given twice
 */
export function queryScalars(query: Query): Record<string, Scalar> {
  const entries = Object.entries(query).flatMap(([key, value]): [string, Scalar][] => {
    if (value === undefined) return [];
    if (typeof value !== 'string') throw new BedsideError('E_REQUEST', `parameter \`${key}\` is given twice`);
    if (value === 'true' || value === 'false') return [[key, value === 'true']];
    const isNumber = key !== 'levels' && value.trim() !== '' && Number.isFinite(Number(value));
    return [[key, isNumber ? Number(value) : value]];
  });
  return Object.fromEntries(entries);
}

/** The name of the file, if its sender gives one: without folders, and cut short. */
function nameOf(headers: IncomingHttpHeaders, query: Query): string | undefined {
  const disposition = /\bfilename="?([^";]+)"?/i.exec(headers['content-disposition'] ?? '')?.[1];
  const given = typeof query.name === 'string' ? query.name : disposition;
  const last = given?.split(/[\\/]/).at(-1)?.trim().slice(-MOST_NAME);
  return last === '' ? undefined : last;
}
