// The table of criteria by name.
import { BedsideError } from '../util/index.ts';
import { ACTIVATION, ACTIVATION_STD, APOZ } from './criteria/activations.ts';
import { ATTRIBUTION_FAMILIES, type CriterionFamily } from './criteria/attribution.ts';
import { BN_SCALE } from './criteria/batch-norm.ts';
import { HRANK } from './criteria/hrank.ts';
import { FPGM, L1, L2, LAMP, RANDOM } from './criteria/weights.ts';
import type { Criterion } from './criterion.ts';

/** The criteria that need nothing but the model and samples, explainable-AI ones first. */
export const CRITERION_FAMILIES: readonly CriterionFamily[] = [
  ...ATTRIBUTION_FAMILIES,
  ...[L1, L2, FPGM, LAMP, BN_SCALE, ACTIVATION, ACTIVATION_STD, APOZ, HRANK, RANDOM].map((criterion) => ({
    name: criterion.name,
    parameter: undefined,
    make: () => criterion,
  })),
];

/** Criteria by name. */
export interface CriterionTable {
  /** Every criterion with its default parameter. */
  readonly CRITERIA: readonly Criterion[];
  /** The meaning of the parameter of each criterion that takes one, by name. */
  readonly CRITERION_PARAMETERS: ReadonlyMap<string, string>;
  /**
   * A criterion by name, or by `name=parameter` where it takes a parameter.
   * @throws BedsideError E_CRITERION listing the known ones
   */
  findCriterion(text: string): Criterion;
}

/** The table of some families. */
export function criterionTable(families: readonly CriterionFamily[]): CriterionTable {
  const parameters = new Map(
    families.flatMap(({ name, parameter }) => (parameter === undefined ? [] : [[name, parameter] as const])),
  );
  return {
    CRITERIA: families.map((family) => family.make(undefined)),
    CRITERION_PARAMETERS: parameters,
    findCriterion(text) {
      const at = text.indexOf('=');
      const name = at < 0 ? text : text.slice(0, at);
      const parameter = at < 0 ? undefined : text.slice(at + 1);
      const family = families.find((candidate) => candidate.name === name);
      if (!family) {
        throw new BedsideError('E_CRITERION', `unknown criterion '${name}'`, {
          hint: `known criteria: ${families.map((candidate) => candidate.name).join(', ')}`,
        });
      }
      if (parameter !== undefined && family.parameter === undefined) {
        throw new BedsideError('E_CRITERION', `criterion '${name}' takes no parameter, got '${parameter}'`, {
          hint: `write ${name} alone; criteria with parameters: ${[...parameters.keys()].join(', ')}`,
        });
      }
      return family.make(parameter);
    },
  };
}

/** The criteria that need nothing but the model and samples: all but `obs`, which `CRITERIA` of `prune` has too. */
export const {
  CRITERIA: PLAIN_CRITERIA,
  CRITERION_PARAMETERS,
  findCriterion: findPlainCriterion,
} = criterionTable(CRITERION_FAMILIES);

/** @deprecated use `CRITERIA` of `bedside` or `bedside/prune`, which has `obs` too; removed in the release after next */
export const CRITERIA: readonly Criterion[] = PLAIN_CRITERIA;

/** @deprecated use `findCriterion` of `bedside` or `bedside/prune`, which knows `obs` too; removed in the release after next */
export const findCriterion: CriterionTable['findCriterion'] = findPlainCriterion;
