// `bedside inspect`: what a model is made of, which channels can go, and what it costs.
import type { Command } from 'commander';
import { isBundle } from '../../../app/index.ts';
import { findGroups, type Grouping } from '../../../channels/index.ts';
import { withEngineShapes } from '../../../engine/index.ts';
import {
  canonicalModel,
  ELEM,
  findStages,
  loadModel,
  type Model,
  modelCosts,
  nonFiniteWeight,
  opOf,
  type Stage,
  type Uncounted,
  type Value,
} from '../../../onnx/index.ts';
import { describeUncounted } from '../../../report/index.ts';
import { BedsideError, formatBytes, formatCount, formatPercent, plainLine } from '../../../util/index.ts';
import { examples } from '../../command-line.ts';
import { inspectBundle } from '../../inspect-bundle.ts';
import { type LayerRow, layerRows } from '../../inspect-layers.ts';
import { addCommon, type CommonOptions } from '../../options/common.ts';
import { Output } from '../../terminal/output.ts';
import { indent, table } from '../../terminal/tables.ts';

/** Adds the command to the program. */
export function addInspect(program: Command): void {
  addCommon(program.command('inspect'))
    .summary('layers, groups of channels, stages and costs of a model; what a bundle holds')
    .description(
      'Shows what a model is made of. A group is channels that can only be pruned together (residual sums, depthwise ' +
        'convolutions, concatenations); frozen channels must stay, and the reason is given. Names are those of the ' +
        'canonical model: constants folded, batch normalisation merged, every node named. MACs are for one sample. Of a ' +
        'bundle: levels, groups in the order of --levels, stages, measured variants, and where it comes from.',
    )
    .argument('<model>', 'an ONNX file, or a bundle: a folder written by bedside pack')
    .addHelpText(
      'after',
      examples(
        ['bedside inspect model.onnx', 'for reading'],
        ['bedside inspect model.onnx --json | jq .groups', 'for programs'],
        ['bedside inspect ecg/', 'a bundle: every byte is checked'],
      ),
    )
    .action(async (path: string, options: CommonOptions) => {
      const output = new Output(options);
      if (await isBundle(path)) return inspectBundle(path, output);
      const inspection = await inspect(path);
      output.result(inspection);
      output.say(describe(path, inspection));
    });
}

interface Inspection {
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

interface ValueRow {
  readonly name: string;
  readonly type: string;
  /** Symbols as strings; null for an unknown size, or for an unknown rank as a whole. */
  readonly shape: readonly (number | string | null)[] | null;
}

/** A model that the engine cannot run can be looked at all the same. */
async function loadMeasured(path: string): Promise<{ model: Model; unmeasured?: string }> {
  const model = await loadModel(path);
  try {
    return { model: await withEngineShapes(model, path) };
  } catch (error) {
    if (!BedsideError.is(error, 'E_ENGINE')) throw error;
    return { model, unmeasured: error.message };
  }
}

/** @throws BedsideError E_FILE, E_MODEL, E_UNSUPPORTED */
async function inspect(path: string): Promise<Inspection> {
  const { unmeasured, ...loaded } = await loadMeasured(path);
  const notFinite = nonFiniteWeight(loaded.model);
  const model = canonicalModel(loaded.model);
  const { graph } = model;
  const costs = modelCosts(model);
  const grouping = findGroups(model);
  return {
    inputs: graph.inputs.map(valueRow),
    outputs: graph.outputs.map(valueRow),
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
  };
}

function valueRow({ name, elemType, dims }: Value): ValueRow {
  const type = Object.entries(ELEM).find(([, code]) => code === elemType)?.[0] ?? `type ${elemType}`;
  return { name, type, shape: dims ? dims.map((dim) => dim ?? null) : null };
}

function describe(path: string, inspection: Inspection): string {
  const { inputs, outputs, layers, groups, frozen, stages, unknown } = inspection;
  const parts = [
    `${plainLine(path)}: ${formatCount(inspection.macs)} MACs, ${formatCount(inspection.parameters)} parameters, ` +
      `${formatBytes(inspection.peakBytes)} of values alive at once`,
    ...inputs.map((value) => `  input   ${valueText(value)}`),
    ...outputs.map((value) => `  output  ${valueText(value)}`),
    `\nLayers (${layers.length})`,
    indent(
      table(
        ['name', 'operator', '>channels', '>MACs', '>share', '>group'],
        layers.map((layer) => [
          layer.name,
          layer.op,
          String(layer.channels),
          formatCount(layer.macs),
          formatPercent(inspection.macs > 0 ? layer.macs / inspection.macs : 0),
          layer.groups?.join(', ') ?? (layer.group === null ? 'frozen' : String(layer.group)),
        ]),
      ),
    ),
    `\nGroups of channels that go together (${groups.length})`,
    groups.length === 0
      ? '  none: nothing can be pruned'
      : indent(
          table(
            ['>group', '>channels', 'layers'],
            groups.map(({ id, channels, layers: names }) => [String(id), String(channels), names.join(', ')]),
          ),
        ),
  ];
  if (frozen.length > 0) {
    parts.push(
      '\nFrozen channels',
      indent(
        table(
          ['layer', '>channels', 'must stay because'],
          frozen.map(({ layer, channels, reason }) => [layer, String(channels), reason]),
        ),
      ),
    );
  }
  if (unknown.length > 0) {
    parts.push(
      '\nUnknown operators (carried through; channels cannot cross them)',
      unknown.map(({ name, op }) => plainLine(`  ${op} '${name}'`)).join('\n'),
    );
  }
  for (const doubt of doubtsOf(inspection)) parts.push(doubt);
  parts.push(
    `\nStages between single-tensor cut points (${stages.length})`,
    indent(
      table(
        ['>stage', '>nodes', '>MACs', '>weights', '>output'],
        stages.map(({ index, nodes, macs, weightBytes, outputBytes }) => [
          String(index),
          String(nodes.length),
          formatCount(macs),
          formatBytes(weightBytes),
          formatBytes(outputBytes),
        ]),
      ),
    ),
  );
  return parts.join('\n');
}

/** What of the costs is not to be relied on. */
function doubtsOf({ uncounted, unsized, unmeasured, notFinite }: Inspection): string[] {
  const lines = describeUncounted(uncounted).map((line) => `\nCosts are too low: ${line}`);
  if (unsized.length > 0) {
    const more = unsized.length > 5 ? `, and ${unsized.length - 5} more` : '';
    const names = plainLine(unsized.slice(0, 5).join(', '));
    lines.push(`\nBytes are too low: sizes of ${names}${more} are not known and count as 0`);
  }
  if (notFinite !== undefined) lines.push(`\nNot a network that gives scores: ${plainLine(notFinite)}`);
  if (unmeasured !== undefined) {
    lines.push(
      `\nShapes that no rule gives are as the file declares them, which may be stale: ${plainLine(unmeasured)}`,
    );
  }
  return lines;
}

function valueText({ name, type, shape }: ValueRow): string {
  const text = `${name}: ${type} ${shape ? `[${shape.map((dim) => dim ?? '?').join(', ')}]` : 'of unknown rank'}`;
  return plainLine(text);
}
