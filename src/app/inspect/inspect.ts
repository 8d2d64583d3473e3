// The parts of a model, the channels that can be removed, and its costs; the contents of a bundle.
import type { BundleManifest } from '../../bundle/index.ts';
import { type TotalCosts, totalCosts } from '../../bundle/internal.ts';
import { findGroups, type Grouping } from '../../channels/index.ts';
import type { InputContract } from '../../data/index.ts';
import { withEngineShapes } from '../../engine/index.ts';
import { canonicalModel, findStages, loadModel, type Model, modelCosts } from '../../onnx/index.ts';
import {
  dequantised,
  ELEM,
  formOf,
  inFloat32,
  nonFiniteWeight,
  opOf,
  restoredModel,
  type Stage,
  type Uncounted,
  type Value,
} from '../../onnx/internal.ts';
import { BedsideError, type TaskKind } from '../../util/index.ts';
import type { BundleSource } from '../bundle/bundle-levels.ts';
import { loadBundle } from '../bundle/open-bundle.ts';
import { type ContractOptions, findContract } from '../network/contract.ts';
import { inOneForm } from '../network/form.ts';
import type { NetworkSource } from '../network/network.ts';
import { type Journal, journalOf, type Reporter, type Said } from '../reporter.ts';
import { inspectedContract } from './contract.ts';
import { type LayerRow, layerRows } from './layers.ts';

/** The result of `inspect`: the parts of a network and its costs. */
export interface InspectResult extends Said {
  /** What the network is for, as its output or its contract tells; null where other commands do not read the model. */
  readonly task: TaskKind | null;
  readonly inputs: readonly ValueRow[];
  readonly outputs: readonly ValueRow[];
  readonly opset: number | null;
  readonly macs: number;
  readonly parameters: number;
  readonly activationBytes: number;
  readonly peakBytes: number;
  readonly layers: readonly LayerRow[];
  readonly groups: readonly {
    readonly id: number;
    readonly channels: number;
    readonly layers: readonly string[];
    readonly readers: readonly string[];
  }[];
  readonly frozen: Grouping['frozen'];
  readonly stages: readonly Omit<Stage, 'output'>[];
  /** Nodes whose operator is not known here. */
  readonly unknown: readonly { readonly name: string; readonly op: string }[];
  /** Nodes whose multiply-accumulates are not known and count as 0. */
  readonly uncounted: readonly Uncounted[];
  /** Nodes the size of whose outputs is not known, so that their bytes count as 0. */
  readonly unsized: readonly string[];
  /** Where the engine cannot run the model: why. Shapes that no rule gives are then as the file declares them. */
  readonly unmeasured?: string;
  /** A weight that is NaN or infinite, in words: other commands refuse the model. */
  readonly notFinite?: string;
}

/** An input or output. */
export interface ValueRow {
  readonly name: string;
  readonly type: string;
  /** Symbols as strings; null for an unknown size, or for an unknown rank as a whole. */
  readonly shape: readonly (number | string | null)[] | null;
  /** Of the one input, and of the output that is measured: how samples are prepared, and what scores mean. */
  readonly contract?: InputContract;
  /** Where each field of the contract comes from, by its path. */
  readonly from?: Readonly<Record<string, string>>;
}

/** Options of `inspect`: what is said of the network. */
export type InspectOptions = ContractOptions;

/** A model that the engine cannot run can be looked at all the same. */
async function loadMeasured(
  source: NetworkSource,
  { output }: InspectOptions,
): Promise<{ model: Model; given: Model; unmeasured?: string }> {
  if (typeof source !== 'string') {
    return {
      model: inFloat32(dequantised(source.original, source.name), source.name),
      given: restoredModel(source.original),
    };
  }
  const given = await loadModel(source);
  const model = formed(given, source, output);
  try {
    return { model: await withEngineShapes(model, source), given };
  } catch (error) {
    if (!BedsideError.is(error, 'E_ENGINE')) throw error;
    return { model, given, unmeasured: error.message };
  }
}

/** In the form that other commands read; as it is where they refuse it. */
function formed(model: Model, name: string, output: string | undefined): Model {
  try {
    return inFloat32(dequantised(inOneForm(model, name, output), name), name);
  } catch (error) {
    if (!BedsideError.is(error, 'E_UNSUPPORTED')) throw error;
    return model;
  }
}

/**
 * Lists layers, groups of channels, stages and costs of a model. It need not be a classifier.
 * @throws BedsideError E_FILE, E_MODEL, E_UNSUPPORTED; E_USAGE for an output that it does not have
 */
export async function inspect(
  source: NetworkSource,
  reporter?: Reporter | Journal,
  options: InspectOptions = {},
): Promise<InspectResult> {
  const journal = journalOf(reporter);
  const { unmeasured, given, ...loaded } = await loadMeasured(source, options);
  const notFinite = nonFiniteWeight(loaded.model);
  const model = canonicalModel(loaded.model);
  const { graph } = model;
  const costs = modelCosts(model);
  const grouping = findGroups(model);
  const [name, isFile] = typeof source === 'string' ? [source, true] : [source.name, source.isFile];
  const found = await findContract(given, name, isFile, options);
  for (const line of found.notes) journal.note(line);
  for (const line of found.remarks) journal.remark(line);
  const { task, input, output } = inspectedContract(loaded.model, found, name);
  const isFormed = formOf(model) !== undefined;
  return {
    task,
    inputs: (isFormed ? given : model).graph.inputs.map((value, _, { length }) => ({
      ...valueRow(value),
      ...(length === 1 ? input : {}),
    })),
    outputs: given.graph.outputs.map((value, _, { length }) => ({
      ...valueRow((isFormed ? undefined : graph.outputs.find((own) => own.name === value.name)) ?? value),
      ...(length === 1 || value.name === graph.outputs[0]?.name ? output : {}),
    })),
    opset: model.opsets.get('') ?? null,
    macs: costs.macs,
    parameters: costs.parameters,
    activationBytes: costs.activationBytes,
    peakBytes: costs.peakBytes,
    layers: layerRows(graph, costs, grouping),
    groups: grouping.groups.map(({ id, channels, layers, readers }) => ({ id, channels, layers, readers })),
    frozen: grouping.frozen,
    stages: findStages(model).map(({ output: _, ...stage }) => stage),
    unknown: graph.nodes.flatMap((node) =>
      opOf(node) === undefined ? [{ name: node.name, op: node.op }] : [],
    ),
    uncounted: costs.uncounted,
    unsized: costs.unknown,
    ...(unmeasured === undefined ? {} : { unmeasured }),
    ...(notFinite === undefined ? {} : { notFinite }),
    ...journal.said(),
  };
}

function valueRow({ name, elemType, dims }: Value): ValueRow {
  const type = Object.entries(ELEM).find(([, code]) => code === elemType)?.[0] ?? `type ${elemType}`;
  return { name, type, shape: dims ? dims.map((dim) => dim ?? null) : null };
}

/** Costs of the network with every group at the same level. */
export interface LevelRow extends TotalCosts {
  readonly level: number;
  readonly ratio: number;
}

/** The result of `inspectBundle`: the manifest, and the costs at each level. */
export type InspectBundleResult = Said &
  BundleManifest & {
    /** The bundle's identity. */
    readonly sha256: string;
    /** Bytes of model and weights. */
    readonly bytes: number;
    readonly levels: readonly LevelRow[];
  };

/**
 * Opens a bundle, which checks every byte of it, and says what it holds.
 * @throws BedsideError as `loadBundle`
 */
export async function inspectBundle(
  source: BundleSource,
  reporter?: Reporter | Journal,
): Promise<InspectBundleResult> {
  const journal = journalOf(reporter);
  const { manifest, sha256 } = await loadBundle(source, journal);
  const levels = manifest.ratios.map((ratio, level) => {
    const costs = totalCosts(
      manifest,
      manifest.groups.map(() => level),
    );
    return { level, ratio, ...costs };
  });
  const bytes = manifest.model.bytes + manifest.weights.bytes;
  return { sha256, bytes, levels, uncounted: [], ...manifest, ...journal.said() };
}
