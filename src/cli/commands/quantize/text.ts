// What `quantize` wrote, as text.
import type { Int8Facts } from '../../../app/quantize/int8.ts';
import type { Int8Speed, QuantizeResult } from '../../../app/quantize/quantize.ts';
import {
  formatBytes,
  formatMeasure,
  formatPercent,
  formatSeconds,
  MEASURE_WORDS,
  type MeasureName,
  plainLine,
} from '../../../util/index.ts';
import { indent, table } from '../../terminal/tables.ts';

/** Before and after, how each layer was quantised, and what stays in float32. */
export function describeQuantized(result: QuantizeResult): string {
  const { measureBefore, measureAfter } = result;
  const measures = Object.entries(measureBefore).map(([name, before]) => {
    const measure = name as MeasureName;
    const after = measureAfter[measure] ?? Number.NaN;
    return [MEASURE_WORDS[measure], formatMeasure(measure, before), formatMeasure(measure, after), ''];
  });
  return [
    table(['', '>float32', '>eight bits', ''], [...sizeRows(result), ...measures]),
    '',
    ...describeInt8(result),
    ...(result.out === undefined ? [] : [`written: ${result.out}`]),
  ].join('\n');
}

/** Bytes and times of both. */
export function sizeRows(result: Int8Speed): string[][] {
  const { bytes, bytesBefore } = result;
  const times = (factor: number): string =>
    `${factor.toFixed(2)} times ${factor < 1 ? 'the speed' : 'faster'}`;
  const time = (ms: number): string => formatSeconds(ms / 1000);
  const sizes = ['bytes', formatBytes(bytesBefore), formatBytes(bytes), formatPercent(bytes / bytesBefore)];
  if (result.speedNotMeasured !== undefined) {
    return [sizes, ['time a sample', '-', '-', 'not measured']];
  }
  return [
    sizes,
    [
      'time a sample, in batches',
      time(result.msPerSampleBefore),
      time(result.msPerSampleAfter),
      times(result.speedup),
    ],
    [
      'time of one sample alone',
      time(result.msSingleBefore),
      time(result.msSingleAfter),
      times(result.speedupSingle),
    ],
  ];
}

/** How layers were quantised, and what stays in float32. */
export function describeInt8({ layers, layersKeptFloat, distance, reducedRange }: Int8Facts): string[] {
  const rows = layers.map(({ layer, range, equalised, refit, biasCorrected, error }) => [
    plainLine(layer),
    range,
    [
      ...(equalised ? ['equalised'] : []),
      ...(refit ? ['refit'] : []),
      ...(biasCorrected ? ['bias corrected'] : []),
    ].join(', '),
    formatPercent(error),
  ]);
  const bits = reducedRange ? 'seven' : 'eight';
  return [
    `${layers.length} layers in eight bits (weights of ${bits}); scores of held-out samples change by ` +
      `${formatPercent(distance)} of their variance`,
    indent(table(['layer', 'range of what it reads', 'weights', '>held-out error'], rows)),
    '',
    ...(layersKeptFloat.length === 0
      ? []
      : [
          'What stays in float32',
          indent(
            table(
              ['name', 'why'],
              layersKeptFloat.map(({ name, reason }) => [plainLine(name), reason]),
            ),
          ),
          '',
        ]),
  ];
}
