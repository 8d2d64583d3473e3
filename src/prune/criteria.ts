// The table of criteria by name: those of `explain`, and those that need to know which layers read a channel.
import type { Criterion } from '../explain/index.ts';
import { CRITERION_FAMILIES, criterionTable } from '../explain/internal.ts';
import { OBS_FAMILY } from './obs/criterion.ts';

const TABLE = criterionTable([...CRITERION_FAMILIES, OBS_FAMILY]);

/** Every criterion with its default parameter, explainable-AI ones first. */
export const CRITERIA: readonly Criterion[] = TABLE.CRITERIA;

/** The meaning of the parameter of each criterion that takes one, by name. */
export const CRITERION_PARAMETERS: ReadonlyMap<string, string> = TABLE.CRITERION_PARAMETERS;

/**
 * A criterion by name, or by `name=parameter` where it takes a parameter: `lrp-gamma`, `lrp-gamma=0.5`.
 * @throws BedsideError E_CRITERION listing the known ones
 */
export const findCriterion: (text: string) => Criterion = TABLE.findCriterion;
