// What a model is made of, as text.
import type { InspectResult, ValueRow } from '../../../app/inspect/inspect.ts';
import { describeUncounted } from '../../../report/index.ts';
import { firstOf, formatBytes, formatCount, formatPercent, plainLine } from '../../../util/index.ts';
import { indent, table } from '../../terminal/tables.ts';

/** Layers, groups, frozen channels and stages of a model, with its costs. */
export function describeInspected(path: string, inspection: InspectResult): string {
  const { inputs, outputs, layers, groups, frozen, stages, unknown } = inspection;
  const parts = [
    `${plainLine(path)}: ${formatCount(inspection.macs)} MACs, ${formatCount(inspection.parameters)} parameters, ` +
      `${formatBytes(inspection.peakBytes)} of values alive at once`,
    ...inputs.flatMap((value) => [`  input   ${valueText(value)}`, ...contractLines(value)]),
    ...outputs.flatMap((value) => [`  output  ${valueText(value)}`, ...contractLines(value)]),
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
function doubtsOf({ uncounted, unsized, unmeasured, notFinite }: InspectResult): string[] {
  const lines = describeUncounted(uncounted).map((line) => `\nCosts are too low: ${line}`);
  if (unsized.length > 0) {
    const names = plainLine(firstOf(unsized, 5));
    lines.push(`\nBytes are too low: sizes of ${names} are not known and count as 0`);
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

/** What was said of an input or output, with its source; what follows from shapes and defaults is in `--json`. */
function contractLines({ contract = {}, from = {} }: ValueRow): string[] {
  return Object.entries(from).flatMap(([path, source]) => {
    if (source === 'default' || source === 'shape' || source === 'output') return [];
    const value = path
      .split('.')
      .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], contract);
    return [plainLine(`          ${path}: ${JSON.stringify(value)} (${source})`)];
  });
}
