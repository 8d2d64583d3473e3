// The table of criteria by name.
import { BedsideError } from '../util/index.ts';
import { ACTIVATION, ACTIVATION_STD, APOZ } from './criteria/activations.ts';
import { ATTRIBUTION_FAMILIES, type CriterionFamily } from './criteria/attribution.ts';
import { BN_SCALE } from './criteria/batch-norm.ts';
import { HRANK } from './criteria/hrank.ts';
import { FPGM, L1, L2, LAMP, RANDOM } from './criteria/weights.ts';
import type { Criterion } from './criterion.ts';

const FAMILIES: readonly CriterionFamily[] = [
  ...ATTRIBUTION_FAMILIES,
  ...[L1, L2, FPGM, LAMP, BN_SCALE, ACTIVATION, ACTIVATION_STD, APOZ, HRANK, RANDOM].map((criterion) => ({
    name: criterion.name,
    parameter: undefined,
    make: () => criterion,
  })),
];

/** Every criterion with its default parameter, explainable-AI ones first. */
export const CRITERIA: readonly Criterion[] = FAMILIES.map((family) => family.make(undefined));

/** What the parameter of each criterion that takes one is, by name. */
export const CRITERION_PARAMETERS: ReadonlyMap<string, string> = new Map(
  FAMILIES.flatMap(({ name, parameter }) => (parameter === undefined ? [] : [[name, parameter] as const])),
);

/**
 * A criterion by name, or by `name=parameter` for those that take one.
 * @throws BedsideError E_CRITERION listing the known ones
 */
export function findCriterion(text: string): Criterion {
  const at = text.indexOf('=');
  const name = at < 0 ? text : text.slice(0, at);
  const parameter = at < 0 ? undefined : text.slice(at + 1);
  const family = FAMILIES.find((candidate) => candidate.name === name);
  if (!family) {
    throw new BedsideError('E_CRITERION', `unknown criterion '${name}'`, {
      hint: `known criteria: ${FAMILIES.map((candidate) => candidate.name).join(', ')}`,
    });
  }
  if (parameter !== undefined && family.parameter === undefined) {
    throw new BedsideError('E_CRITERION', `criterion '${name}' takes no parameter, got '${parameter}'`, {
      hint: `write ${name} alone; criteria with parameters: ${[...CRITERION_PARAMETERS.keys()].join(', ')}`,
    });
  }
  return family.make(parameter);
}
