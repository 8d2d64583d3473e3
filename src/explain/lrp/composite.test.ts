// Names of rules, and which layer gets which.
import { describe, expect, it } from 'vitest';
import { type WeightedLayer, weightedLayers } from '../../onnx/internal.ts';
import { BedsideError, must } from '../../util/index.ts';
import { Net } from '../test-support/nets.ts';
import { composite, convolutional, parseComposite, parseRule } from './composite.ts';
import { alphaBetaRule, DEFAULT_EPSILON, epsilonRule, gammaRule, zplusRule } from './rules.ts';

describe('parseRule', () => {
  it.each([
    ['epsilon', epsilonRule(DEFAULT_EPSILON)],
    ['epsilon=1e-3', epsilonRule(1e-3)],
    ['zplus', zplusRule()],
    ['gamma', gammaRule(0.25)],
    ['gamma=0.1', gammaRule(0.1)],
    ['gamma=0', gammaRule(0)],
    ['alpha2beta1', alphaBetaRule(2)],
    ['alpha-beta', alphaBetaRule(2)],
    ['alpha-beta=1', alphaBetaRule(1)],
    ['alpha-beta=3', alphaBetaRule(3)],
    ['  zplus ', zplusRule()],
  ])('reads %j', (text, rule) => {
    expect(parseRule(text)).toEqual(rule);
  });

  it.each([
    ['lrp', 'no such rule'],
    ['', 'no such rule'],
    ['Epsilon', 'no such rule'],
    ['epsilon=0', 'above 0'],
    ['epsilon=-1', 'above 0'],
    ['gamma=-0.1', '0 or more'],
    ['gamma=much', 'not a number'],
    ['gamma=Infinity', 'not a number'],
    ['alpha-beta=0.5', '1 or more'],
    ['gamma=', 'not a number'],
    ['epsilon=', 'not a number'],
    ['gamma=0.1=5', 'not a number'],
    ['zplus=3', 'takes no parameter'],
    ['alpha2beta1=3', 'takes no parameter'],
  ])('refuses %j: %s', (text, why) => {
    let thrown: unknown;
    try {
      parseRule(text);
    } catch (error) {
      thrown = error;
    }
    expect(BedsideError.is(thrown, 'E_USAGE')).toBe(true);
    expect((thrown as BedsideError).message).toContain(why);
    expect((thrown as BedsideError).message).toContain(`'${text}'`);
    expect((thrown as BedsideError).hint).toContain('zplus');
  });
});

describe('composites', () => {
  const net = new Net([2, 4, 4]);
  const up = net.convTranspose(net.conv(net.input, 2, 3, { pads: [1, 1, 1, 1] }), 3, 3);
  const layers = weightedLayers(net.classify(up, 108));
  const layer = (name: string): WeightedLayer =>
    must(
      layers.find((candidate) => candidate.name === name),
      name,
    );
  const [conv, transposed, dense] = [layer('Conv'), layer('ConvTranspose'), layer('Gemm')];

  it('give a convolutional rule to convolutions, transposed ones too, and epsilon to dense layers', () => {
    const rule = zplusRule();
    const ruleOf = convolutional(rule);
    expect([ruleOf(conv, 0), ruleOf(transposed, 0.5)]).toEqual([rule, rule]);
    expect(ruleOf(dense, 1).name).toBe('epsilon');
  });

  it('take the first entry that matches, and epsilon where none does', () => {
    const [first, second, third] = [gammaRule(1), zplusRule(), alphaBetaRule(2)];
    const named = composite([
      { match: { layer: 'ConvTranspose' }, rule: first },
      { match: 'conv', rule: second },
      { match: 'any', rule: third },
    ]);
    expect([named(transposed, 0), named(conv, 0), named(dense, 1)]).toEqual([first, second, third]);
    expect(composite([{ match: 'dense', rule: third }])(dense, 1)).toBe(third);
    expect(composite([{ match: 'dense', rule: third }])(conv, 0).name).toBe('epsilon');
    expect(composite([])(conv, 0).name).toBe('epsilon');
  });

  it.each<[string, number, 'conv' | 'dense', string]>([
    ['conv:zplus', 0.3, 'conv', 'zplus'],
    ['conv:zplus', 0.3, 'dense', 'epsilon'],
    ['dense:gamma=2', 1, 'dense', 'gamma=2'],
    ['any:alpha-beta=3', 1, 'dense', 'alpha-beta=3'],
    ['conv@0..0.5:zplus+conv:gamma=1', 0.5, 'conv', 'zplus'],
    ['conv@0..0.5:zplus+conv:gamma=1', 0.51, 'conv', 'gamma=1'],
    ['conv@0.4..1:zplus', 0.3, 'conv', 'epsilon'],
    [' conv@.2...8:zplus + any:epsilon=0.1 ', 0.5, 'conv', 'zplus'],
    [' conv@.2...8:zplus + any:epsilon=0.1 ', 0.1, 'conv', 'epsilon=0.1'],
    // Geometric: 0.5 (0.05 / 0.5)^depth.
    ['conv:gamma=0.5..0.05', 0, 'conv', 'gamma=0.5'],
    ['conv:gamma=0.5..0.05', 1, 'conv', 'gamma=0.05'],
    ['conv:gamma=1..0.01', 0.5, 'conv', 'gamma=0.1'],
    ['conv:gamma=0.25..4', 0.5, 'conv', 'gamma=1'],
  ])('from %j: at depth %d a %s layer gets %s', (text, depth, kind, rule) => {
    const found = parseComposite(text)(kind === 'conv' ? conv : dense, depth);
    expect(found.name).toBe(rule);
    expect(found).toEqual(parseRule(rule));
  });

  it.each([
    ['', 'LAYERS:RULE'],
    ['zplus', 'LAYERS:RULE'],
    ['conv', 'LAYERS:RULE'],
    ['pool:zplus', 'LAYERS:RULE'],
    ['conv:zplus+', 'LAYERS:RULE'],
    ['conv@0.5:zplus', 'LAYERS:RULE'],
    ['conv@0.5..0.2:zplus', 'hold no layer'],
    ['conv@0..2:zplus', 'hold no layer'],
    ['conv:zminus', 'no such rule'],
    ['conv:gamma=0..1', 'above 0'],
    ['conv:epsilon=0', 'above 0'],
  ])('are refused from %j: %s', (text, why) => {
    let thrown: unknown;
    try {
      parseComposite(text);
    } catch (error) {
      thrown = error;
    }
    expect(BedsideError.is(thrown, 'E_USAGE') && thrown.message).toContain(why);
  });
});
