// The table of criteria by name: those of explain, and those that must know which layers read a channel.
import { CRITERION_FAMILIES, criterionTable } from '../explain/index.ts';
import { OBS_FAMILY } from './obs/criterion.ts';

/**
 * Every criterion with its default parameter, explainable-AI ones first; what the parameter of each is; and the search by
 * `name` or `name=parameter`.
 */
export const { CRITERIA, CRITERION_PARAMETERS, findCriterion } = criterionTable([
  ...CRITERION_FAMILIES,
  OBS_FAMILY,
]);
