// What a request asks for beside its tensors: parameters of the protocol's extension, checked one by one.
import { type PlanChoice, SOLVERS, type SolverName } from '../../app/index.ts';
import type { BundleManifest } from '../../bundle/index.ts';
import { checkLevels } from '../../bundle/internal.ts';
import { BedsideError } from '../../util/index.ts';
import type { Scalar } from '../protocol/infer-request.ts';

/** The wishes of a request. */
export interface RequestChoice {
  readonly plan: PlanChoice;
  /** Seconds from its arrival to its answer. */
  readonly deadline: number | undefined;
  /** Whether the answer has the relevance of the input as one more output. */
  readonly explain: boolean;
  /** Whether the answer has the input as the network read it as one more output. */
  readonly withInput: boolean;
}

const LONGEST_SECONDS = 86_400;

/**
 * Reads `deadline` (seconds), `timeout` (microseconds), `accuracy_floor`, `levels` (`0,3,1`), `variant` (its index),
 * `solver`, `explain` and `with_input`. Others are ignored, as the protocol asks.
 * @throws BedsideError E_REQUEST for a value that is none; E_LEVELS for levels that the bundle does not have
 */
export function readChoice(
  parameters: Readonly<Record<string, Scalar>>,
  manifest: BundleManifest,
): RequestChoice {
  const { levels, variant, solver } = parameters;
  if (levels !== undefined && variant !== undefined) throw wrong('variant', 'given without `levels`');
  const seconds = numberIn(parameters, 'deadline', 1e-3, LONGEST_SECONDS);
  const micros = numberIn(parameters, 'timeout', 0, LONGEST_SECONDS * 1e6);
  if (seconds !== undefined && micros) throw wrong('timeout', 'given without `deadline`');
  // As other servers do: a timeout of 0 is none.
  const deadline = seconds ?? (micros ? micros / 1e6 : undefined);
  return {
    plan: {
      solver: solver === undefined ? undefined : solverOf(solver),
      levels: levels !== undefined ? levelsOf(levels, manifest) : variantOf(variant, manifest),
      accuracyFloor: numberIn(parameters, 'accuracy_floor', 0, 1),
    },
    deadline,
    explain: flagOf(parameters, 'explain'),
    withInput: flagOf(parameters, 'with_input'),
  };
}

function levelsOf(value: Scalar, manifest: BundleManifest): readonly number[] {
  const text = String(value);
  const levels = text.split(',').map((part) => (/^\s*\d{1,4}\s*$/.test(part) ? Number(part) : Number.NaN));
  if (levels.some(Number.isNaN)) throw wrong('levels', 'levels of the groups with commas, such as "0,3,1"');
  checkLevels(manifest, levels);
  return levels;
}

function variantOf(value: Scalar | undefined, { variants }: BundleManifest): readonly number[] | undefined {
  if (value === undefined) return undefined;
  const variant = typeof value === 'number' ? variants[value] : undefined;
  if (!variant) throw wrong('variant', `a whole number from 0 to ${variants.length - 1}`);
  return variant.levels;
}

function solverOf(value: Scalar): SolverName {
  const solver = SOLVERS.find((name) => name === value);
  if (solver === undefined) throw wrong('solver', `one of ${SOLVERS.join(', ')}`);
  return solver;
}

function flagOf(parameters: Readonly<Record<string, Scalar>>, name: string): boolean {
  const { [name]: value = false } = parameters;
  if (typeof value !== 'boolean') throw wrong(name, 'true or false');
  return value;
}

function numberIn(
  parameters: Readonly<Record<string, Scalar>>,
  name: string,
  least: number,
  most: number,
): number | undefined {
  const value = parameters[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !(value >= least && value <= most)) {
    throw wrong(name, `a number from ${least} to ${most}`);
  }
  return value;
}

function wrong(name: string, expected: string): BedsideError {
  return new BedsideError('E_REQUEST', `parameter \`${name}\` is not ${expected}`);
}
