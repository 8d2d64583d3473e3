// No two tensors of a bundle have one name, whatever its layers are called.
import { describe, expect, it } from 'vitest';
import {
  isOfVariant,
  layerOf,
  tableBias,
  tableWeight,
  variantDown,
  variantHeadBias,
  variantHeadWeight,
  variantRecurrent,
  variantScale,
  variantShift,
  variantUp,
} from './weight-names.ts';

const LAYERS = [
  'conv',
  '/m/m.0/Conv',
  'variant',
  '=variant',
  'variant/1',
  'variant/1/head',
  'variant/1/down',
  '=variant/1/down',
  '==variant/1/up/x',
  'variants/1',
  '1/weight',
  'head',
  '2/bias',
  '=',
  'a\nb',
];

describe('names of tensors', () => {
  const tables = LAYERS.flatMap((layer) =>
    [1, 2].flatMap((level) =>
      [tableWeight(layer, level), tableBias(layer, level)].map((name) => ({ name, layer })),
    ),
  );
  const changes = LAYERS.flatMap((layer) =>
    [1, 2].flatMap((index) =>
      [
        ...[variantDown(index, layer), variantUp(index, layer)],
        ...['weight', 'recurrence', 'bias'].map((part) => variantRecurrent(index, layer, part)),
      ].map((name) => ({ name, layer, index })),
    ),
  );
  const whole = [1, 2].flatMap((index) => [
    { name: variantScale(index), index },
    { name: variantShift(index), index },
    { name: variantHeadWeight(index), index },
    { name: variantHeadBias(index), index },
  ]);

  it('are all different', () => {
    const names = [...tables, ...changes, ...whole].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it("of tables are no variant's", () => {
    for (const { name } of tables) expect(isOfVariant(name, 1) || isOfVariant(name, 2), name).toBe(false);
    for (const { name, index } of [...changes, ...whole]) {
      expect([isOfVariant(name, index), isOfVariant(name, 3 - index)]).toEqual([true, false]);
    }
  });

  it('say which layer they are for', () => {
    for (const { name, layer } of [...tables, ...changes]) expect(layerOf(name, 'last'), name).toBe(layer);
    expect(layerOf(variantHeadWeight(1), 'last')).toBe('last');
  });

  it('of other layers are as they were', () => {
    expect(tableWeight('/m/m.0/Conv', 3)).toBe('/m/m.0/Conv/3/weight');
    expect(tableBias('conv', 1)).toBe('conv/1/bias');
  });
});
