// The table of criteria by name: those of `explain`, and those that need to know which layers read a channel.
import { CRITERION_FAMILIES, criterionTable } from '../explain/internal.ts';
import { OBS_FAMILY } from './obs/criterion.ts';

/**
 * Every criterion with its default parameter, explainable-AI ones first; the meaning of each parameter; and the look-up
 * by `name` or `name=parameter`.
 */
export const { CRITERIA, CRITERION_PARAMETERS, findCriterion } = criterionTable([
  ...CRITERION_FAMILIES,
  OBS_FAMILY,
]);
