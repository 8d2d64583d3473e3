// Compares criteria: the same network cut to the same sizes by each, without retraining, and measured.
import type { Dataset } from '../data/index.ts';
import type { Criterion } from '../explain/index.ts';
import { type Model, modelCosts } from '../onnx/index.ts';
import { accuracies, agreementOf, type Evaluation, evaluate } from './evaluate.ts';
import { assertPrunable, findGroups } from './groups.ts';
import { scoreModel } from './score-model.ts';
import { selectGlobal, selectUniform } from './select.ts';
import { sliceModel } from './slice.ts';

/** What is compared, on what, and how. */
export interface CompareOptions {
  /** How the model is called in error messages. */
  readonly name: string;
  readonly criteria: readonly Criterion[];
  /** Fractions of channels removed, each in [0, 1). */
  readonly ratios: readonly number[];
  /** Samples that the criteria read. */
  readonly calibration: Dataset;
  /** Samples that the cut networks are measured on; without labels accuracy is agreement with the uncut network. */
  readonly test: Dataset;
  /** Channels that counts are aligned to; default 1, so that criteria are compared at equal counts. */
  readonly block?: number | undefined;
  /** One ranking over all groups instead of the same ratio in each; default false. */
  readonly global?: boolean | undefined;
  readonly target?: 'label' | 'predicted' | undefined;
  readonly batch?: number | undefined;
  readonly threads?: number | undefined;
  readonly seed?: number | undefined;
  /** Called before each step, and with how far the step is. */
  readonly onProgress?: ((step: string, done: number, total: number) => void) | undefined;
}

/** One measured network. */
export interface CompareRow {
  readonly criterion: string;
  readonly family: 'xai' | 'reference';
  readonly ratio: number;
  readonly reconstruct: boolean;
  readonly accuracy: number;
  readonly balancedAccuracy: number;
  readonly recall: readonly number[];
  /** Share of samples whose predicted class is that of the uncut network. */
  readonly agreement: number;
  readonly macs: number;
  readonly macsFraction: number;
}

/** A finished comparison. */
export interface Comparison {
  readonly base: Evaluation & { readonly macs: number; readonly parameters: number };
  /** Criteria in the order asked for, ratios ascending in each. */
  readonly rows: readonly CompareRow[];
  /** Seconds that scoring took, by criterion. */
  readonly seconds: Readonly<Record<string, number>>;
}

/**
 * Scores a canonical model once per criterion and measures it at every ratio. One engine session exists at a time.
 * @throws BedsideError E_NO_CHANNELS when nothing can be pruned; as the criteria, `evaluate` and `selectUniform`
 */
export async function compareCriteria(model: Model, options: CompareOptions): Promise<Comparison> {
  const { name, calibration, test, block = 1, global = false, onProgress } = options;
  const grouping = findGroups(model);
  assertPrunable(grouping, name);
  const measure = (cut: Model, step: string, reference?: Int32Array): Promise<Evaluation> =>
    evaluate(cut, test, {
      name,
      batch: options.batch,
      threads: options.threads,
      reference,
      onProgress: (done, total) => onProgress?.(step, done, total),
    });
  const costs = modelCosts(model);
  // Without labels the uncut network is its own reference.
  const unlabelled = test.labels === undefined;
  const first = await measure(model, 'unpruned', unlabelled ? new Int32Array(test.size) : undefined);
  const { predictions, recall } = first;
  const base = unlabelled ? { ...first, ...accuracies(predictions, predictions, recall.length) } : first;

  const rows: CompareRow[] = [];
  const seconds: Record<string, number> = {};
  for (const criterion of options.criteria) {
    const start = performance.now();
    const scores = await scoreModel(model, grouping, criterion, calibration, {
      name,
      global,
      target: options.target,
      batch: options.batch,
      threads: options.threads,
      seed: options.seed,
      onProgress: (done, total) => onProgress?.(`${criterion.name}: scoring`, done, total),
    });
    seconds[criterion.name] = (performance.now() - start) / 1000;
    for (const ratio of options.ratios.toSorted((a, b) => a - b)) {
      const keep = (global ? selectGlobal : selectUniform)(grouping, scores, { ratio, block });
      const cut = sliceModel(model, grouping, keep);
      const result = await measure(cut, `${criterion.name} at ${ratio}`, base.predictions);
      const { macs } = modelCosts(cut);
      rows.push({
        criterion: criterion.name,
        family: criterion.family,
        ratio,
        reconstruct: false,
        accuracy: result.accuracy,
        balancedAccuracy: result.balancedAccuracy,
        recall: result.recall,
        agreement: agreementOf(result.predictions, base.predictions),
        macs,
        macsFraction: macs / costs.macs,
      });
    }
  }
  return { base: { ...base, macs: costs.macs, parameters: costs.parameters }, rows, seconds };
}
