// The table of criteria by name.
import { BedsideError } from '../util/index.ts';
import { ACTIVATION, APOZ } from './criteria/activations.ts';
import {
  GRADIENT,
  LRP_ALPHA2BETA1,
  LRP_EPSILON,
  LRP_GAMMA,
  LRP_ZPLUS,
  TAYLOR,
} from './criteria/attribution.ts';
import { L1, L2, RANDOM } from './criteria/weights.ts';
import type { Criterion } from './criterion.ts';

/** Every criterion, explainable-AI ones first. */
export const CRITERIA: readonly Criterion[] = [
  LRP_GAMMA,
  LRP_ZPLUS,
  LRP_EPSILON,
  LRP_ALPHA2BETA1,
  TAYLOR,
  GRADIENT,
  L1,
  L2,
  ACTIVATION,
  APOZ,
  RANDOM,
];

/**
 * A criterion by name.
 * @throws BedsideError E_CRITERION listing the known ones
 */
export function findCriterion(name: string): Criterion {
  const found = CRITERIA.find((criterion) => criterion.name === name);
  if (found) return found;
  throw new BedsideError('E_CRITERION', `unknown criterion '${name}'`, {
    hint: `known criteria: ${CRITERIA.map((criterion) => criterion.name).join(', ')}`,
  });
}
