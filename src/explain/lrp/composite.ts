// Decides which rule each weighted layer gets. A composite is an ordered list of (layer family -> rule); the first
// match counts.

import type { WeightedLayer } from '../../onnx/internal.ts';
import { BedsideError } from '../../util/index.ts';
import type { RuleOf } from './relevance-rules.ts';
import { alphaBetaRule, epsilonRule, gammaRule, type LrpRule, zplusRule } from './rules.ts';

/** Layer families: convolutions, dense layers, one layer by its name, or every layer. */
export type LayerMatch = 'conv' | 'dense' | 'any' | { readonly layer: string };

/** An entry of a composite. */
export interface CompositeEntry {
  readonly match: LayerMatch;
  readonly rule: LrpRule;
}

/** The rule of the first entry that matches; LRP-epsilon where none does. */
export function composite(entries: readonly CompositeEntry[]): RuleOf {
  const fallback = epsilonRule();
  return (layer) => entries.find((entry) => matches(entry.match, layer))?.rule ?? fallback;
}

/** The usual composite: one rule in convolutions, LRP-epsilon in dense layers. */
export function convolutional(rule: LrpRule): RuleOf {
  return composite([{ match: 'conv', rule }]);
}

/**
 * A rule by name: `epsilon`, `epsilon=1e-3`, `zplus`, `gamma`, `gamma=0.1`, `alpha2beta1`, `alpha-beta=3`.
 * @throws BedsideError E_USAGE for an unknown name or a parameter out of range
 */
export function parseRule(text: string): LrpRule {
  const at = text.indexOf('=');
  const name = (at < 0 ? text : text.slice(0, at)).trim();
  const given = at < 0 ? undefined : text.slice(at + 1).trim();
  const value = given === undefined ? undefined : Number(given);
  if (value !== undefined && (given === '' || !Number.isFinite(value))) {
    throw unknownRule(text, `'${given}' is not a number`);
  }
  switch (name) {
    case 'epsilon':
      if (value !== undefined && value <= 0) throw unknownRule(text, 'epsilon must be above 0');
      return epsilonRule(value);
    case 'zplus':
      if (value !== undefined) throw unknownRule(text, 'zplus takes no parameter');
      return zplusRule();
    case 'gamma':
      if (value !== undefined && value < 0) throw unknownRule(text, 'gamma must be 0 or more');
      return gammaRule(value ?? 0.25);
    case 'alpha2beta1':
      if (value !== undefined) throw unknownRule(text, 'alpha2beta1 takes no parameter; write alpha-beta=A');
      return alphaBetaRule(2);
    case 'alpha-beta':
      if (value !== undefined && value < 1) throw unknownRule(text, 'alpha must be 1 or more');
      return alphaBetaRule(value ?? 2);
    default:
      throw unknownRule(text, 'no such rule');
  }
}

/**
 * Parses a composite: entries `LAYERS:RULE` joined by `+`; the first match counts. LAYERS is `conv`, `dense` or `any`,
 * optionally within a range of depth, `conv@0..0.5` (0 is the first weighted layer, 1 the last). RULE is as in
 * `parseRule`; `gamma=A..B` changes geometrically from A at the first layer to B at the last. Example:
 * `dense:epsilon+conv@0..0.5:zplus+conv:gamma=0.5..0.05`.
 * @throws BedsideError E_USAGE naming the wrong entry
 */
export function parseComposite(text: string): RuleOf {
  const entries = text.split('+').map(parseEntry);
  const fallback = epsilonRule();
  return (layer, depth) => {
    for (const entry of entries) {
      if (matches(entry.match, layer) && depth >= entry.from && depth <= entry.to) return entry.ruleAt(depth);
    }
    return fallback;
  };
}

interface ParsedEntry {
  readonly match: LayerMatch;
  readonly from: number;
  readonly to: number;
  ruleAt(depth: number): LrpRule;
}

function parseEntry(text: string): ParsedEntry {
  const parts = /^(conv|dense|any)(?:@(\d*\.?\d+)\.\.(\d*\.?\d+))?:(.+)$/.exec(text.trim());
  if (!parts) {
    throw new BedsideError('E_USAGE', `composite entry '${text}': expected LAYERS:RULE`, {
      hint: 'such as conv:zplus, dense:epsilon or conv@0..0.5:gamma=0.25; join entries with +',
    });
  }
  const [, match, from = '0', to = '1', rule = ''] = parts;
  if (!(Number(from) <= Number(to) && Number(to) <= 1)) {
    throw new BedsideError('E_USAGE', `composite entry '${text}': the depths ${from}..${to} hold no layer`, {
      hint: 'depths go up, from 0 (the first weighted layer) to 1 (the last)',
    });
  }
  const range = /^gamma=(\d*\.?\d+)\.\.(\d*\.?\d+)$/.exec(rule);
  const [first, last] = [Number(range?.[1]), Number(range?.[2])];
  if (range && !(first > 0 && last > 0)) throw unknownRule(rule, 'both ends of gamma must be above 0');
  const fixed = range ? undefined : parseRule(rule);
  return {
    match: match as 'conv' | 'dense' | 'any',
    from: Number(from),
    to: Number(to),
    ruleAt: (depth) => fixed ?? gammaRule(first * (last / first) ** depth),
  };
}

function unknownRule(text: string, why: string): BedsideError {
  return new BedsideError('E_USAGE', `relevance rule '${text}': ${why}`, {
    hint: 'known: epsilon[=E], zplus, gamma[=G], alpha2beta1, alpha-beta[=A]',
  });
}

function matches(match: LayerMatch, layer: WeightedLayer): boolean {
  if (typeof match === 'object') return match.layer === layer.name;
  return match === 'any' || (match === 'dense') === (layer.kind === 'dense');
}
