// Tensors kept in files beside the model: found, checked, read in, and written out.
// Specification: https://onnx.ai/onnx/repo-docs/ExternalData.html

import { realpath } from 'node:fs/promises';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { BedsideError, formatBytes, messageOf } from '../../util/index.ts';
import { RegularFile } from '../../util/internal.ts';
import { sizeOf } from '../graph.ts';
import { MAX_BYTES } from './encode.ts';
import {
  type AttributeProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type SparseTensorProto,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProto_DataLocation,
} from './onnx_pb.ts';
import { rawBytes } from './proto.ts';
import { readDims } from './tensor-read.ts';

/**
 * Reads the data of every external tensor of a model (subgraphs and functions too) into the message.
 * Files must lie in the folder of the model, or of the file that the model's path links to.
 * @throws BedsideError E_MODEL for paths that leave the folder or ranges that do not fit, E_FILE when unreadable,
 *   E_UNSUPPORTED for more than 2 GiB in all, before any of it is read
 */
export async function readExternalData(model: ModelProto, modelPath: string): Promise<void> {
  const external = tensorsOf(model).filter(
    (tensor) => tensor.dataLocation === TensorProto_DataLocation.EXTERNAL,
  );
  const files = new Map<string, RegularFile>();
  try {
    const places: ExternalLocation[] = [];
    for (const tensor of external) places.push(await locate(tensor, modelPath, files));
    const total = places.reduce((sum, { length }) => sum + length, 0);
    if (total > MAX_BYTES) throw tooLarge(modelPath, total);
    for (const place of places) await readOne(place);
  } finally {
    await Promise.all([...files.values()].map((file) => file.close()));
  }
}

/** Tensors smaller than this stay in the model file, where every tool finds shapes and scalars. */
const MIN_EXTERNAL_BYTES = 1024;
/** Offsets are multiples of a page, so that readers can map the file into memory. */
const ALIGNMENT = 4096;

/**
 * Moves the large initializers of a message out into one block of bytes, to be stored as `fileName`.
 * The message's tensors are replaced, not changed.
 */
export function moveToExternal(model: ModelProto, fileName: string): Uint8Array {
  const { graph } = model;
  if (!graph) return new Uint8Array();
  let end = 0;
  const moved: { offset: number; data: Uint8Array }[] = [];
  graph.initializer = graph.initializer.map((tensor) => {
    const data = tensor.rawData;
    if (!data || data.length < MIN_EXTERNAL_BYTES) return tensor;
    const offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    moved.push({ offset, data });
    end = offset + data.length;
    const entries = { location: fileName, offset: String(offset), length: String(data.length) };
    const result: TensorProto = {
      ...tensor,
      dataLocation: TensorProto_DataLocation.EXTERNAL,
      externalData: Object.entries(entries).map(([key, value]) =>
        create(StringStringEntryProtoSchema, { key, value }),
      ),
    };
    delete result.rawData;
    return result;
  });
  const block = new Uint8Array(end);
  for (const { offset, data } of moved) block.set(data, offset);
  return block;
}

/** The location of a tensor's bytes. */
interface ExternalLocation {
  readonly tensor: TensorProto;
  readonly file: RegularFile;
  readonly offset: number;
  readonly length: number;
}

async function locate(
  tensor: TensorProto,
  modelPath: string,
  files: Map<string, RegularFile>,
): Promise<ExternalLocation> {
  const label = `${modelPath}: tensor '${tensor.name ?? ''}'`;
  const entry = (key: string): string | undefined =>
    tensor.externalData.find((pair) => pair.key === key)?.value;
  const location = entry('location') ?? '';
  const expected = expectedBytes(tensor, label);
  const file = await openInside(location, modelPath, label, files);
  const { size } = file;
  const offset = byteCount(entry('offset') ?? '0', `${label}: offset in '${location}'`);
  const length = byteCount(
    entry('length') ?? String(Math.max(0, size - offset)),
    `${label}: length in '${location}'`,
  );
  if (length !== expected) {
    throw invalid(`${label}: '${location}' gives it ${length} bytes, its dims need ${expected}`);
  }
  if (offset + length > size) {
    throw invalid(`${label}: bytes ${offset} to ${offset + length} of '${location}', which has ${size}`);
  }
  return { tensor, file, offset, length };
}

async function readOne({ tensor, file, offset, length }: ExternalLocation): Promise<void> {
  tensor.rawData = await file.read(offset, offset + length);
  tensor.externalData = [];
  delete tensor.dataLocation;
}

function expectedBytes(tensor: TensorProto, label: string): number {
  const dims = readDims(tensor, label);
  const count = sizeOf(dims);
  const bytes = rawBytes(tensor.dataType ?? 0, count);
  if (bytes === undefined)
    throw invalid(`${label}: element type ${tensor.dataType} cannot be kept in a file`);
  return bytes;
}

function byteCount(text: string, what: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw invalid(`${what} is '${text}', not a number of bytes`);
  return value;
}

async function openInside(
  location: string,
  modelPath: string,
  label: string,
  files: Map<string, RegularFile>,
): Promise<RegularFile> {
  const known = files.get(location);
  if (known) return known;
  const folder = resolve(dirname(modelPath));
  const path = resolve(folder, location);
  if (location === '' || location.includes('\0') || isAbsolute(location) || !isInside(path, folder)) {
    throw invalid(`${label}: data file '${location}' is outside the model's folder`);
  }
  let real: string;
  let allowed: string[];
  try {
    real = await realpath(path);
    // Download caches link model and data to files that lie side by side elsewhere.
    allowed = [await realpath(folder), dirname(await realpath(modelPath))];
  } catch (cause) {
    throw unreadable(label, location, cause);
  }
  if (!allowed.some((root) => isInside(real, root))) {
    throw invalid(`${label}: data file '${location}' links to a file outside the model's folder`);
  }
  const file = await RegularFile.open(real, `${label}: its data file`);
  files.set(location, file);
  return file;
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function tensorsOf(model: ModelProto): TensorProto[] {
  const found: TensorProto[] = [];
  if (model.graph) fromGraph(model.graph);
  for (const { initialization, algorithm } of model.trainingInfo) {
    if (initialization) fromGraph(initialization);
    if (algorithm) fromGraph(algorithm);
  }
  for (const { node, attributeProto } of model.functions) {
    node.forEach(fromNode);
    attributeProto.forEach(fromAttribute);
  }
  return found;

  function fromGraph(graph: GraphProto): void {
    for (const tensor of graph.initializer) found.push(tensor);
    graph.sparseInitializer.forEach(fromSparse);
    graph.node.forEach(fromNode);
  }
  function fromNode(node: NodeProto): void {
    node.attribute.forEach(fromAttribute);
  }
  function fromAttribute({ t, tensors, g, graphs, sparseTensor, sparseTensors }: AttributeProto): void {
    if (t) found.push(t);
    for (const tensor of tensors) found.push(tensor);
    if (g) fromGraph(g);
    graphs.forEach(fromGraph);
    if (sparseTensor) fromSparse(sparseTensor);
    sparseTensors.forEach(fromSparse);
  }
  function fromSparse({ values, indices }: SparseTensorProto): void {
    if (values) found.push(values);
    if (indices) found.push(indices);
  }
}

function unreadable(label: string, location: string, cause: unknown): BedsideError {
  return new BedsideError(
    'E_FILE',
    `${label}: cannot read its data file '${location}': ${messageOf(cause)}`,
    {
      hint: 'keep the data file beside the .onnx file, under the name it was saved with',
      cause,
    },
  );
}

function tooLarge(modelPath: string, bytes: number): BedsideError {
  return new BedsideError(
    'E_UNSUPPORTED',
    `${modelPath} keeps ${formatBytes(bytes)} of tensors beside it: models of more than 2 GiB are not run here`,
    { hint: 'export a smaller variant of the model, or one with its weights as float16' },
  );
}

function invalid(message: string): BedsideError {
  return new BedsideError('E_MODEL', message, {
    hint: 'the model and its data file do not belong together, or one is damaged; export both again',
  });
}
