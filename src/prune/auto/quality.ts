// How good a pruned network's answers are on the samples of a choice: by their labels, else by the unpruned network's.
import type { Dataset } from '../../data/index.ts';
import type { Targets } from '../../data/internal.ts';
import { accuracies, agreement, mainMeasure, measuresOf } from '../../evaluate/internal.ts';
import { hasClasses, type MeasureName, must } from '../../util/index.ts';
import { joinedRows, predictedClasses, type ScoreForm } from '../../util/internal.ts';

/** Scores of a pruned and of the unpruned network on samples. */
export interface Answers {
  readonly scores: Float32Array;
  readonly unpruned: Float32Array;
  readonly samples: Dataset;
}

/** A measure, higher for better. */
export interface Quality {
  readonly name: MeasureName;
  readonly value: number;
}

/**
 * Balanced accuracy of classes, or accuracy with a class prior; the main measure of other tasks. Without labels, or where
 * the samples do not allow the measure, agreement with the unpruned network (of classes: balanced).
 * @param answers on samples of which none is twice; they are measured together
 */
export function qualityOf(
  form: ScoreForm,
  answers: readonly Answers[],
  classPrior: ArrayLike<number> | undefined,
): Quality {
  if (hasClasses(form.task)) return qualityOfClasses(form, answers, classPrior);
  const scores = joinedRows(answers.map((part) => part.scores));
  const unpruned = joinedRows(answers.map((part) => part.unpruned));
  const targets = joinedTargets(answers.map(({ samples }) => samples.targets));
  if (targets) {
    const { measures } = measuresOf(form, scores, targets, must(answers[0], 'answers').samples.name);
    const main = mainMeasure(measures);
    if (!Number.isNaN(main.value)) return main;
  }
  return { name: 'agreement', value: agreement(form, unpruned, scores) };
}

function qualityOfClasses(
  form: ScoreForm,
  answers: readonly Answers[],
  classPrior: ArrayLike<number> | undefined,
): Quality {
  const predictions: number[] = [];
  const expected: number[] = [];
  const whose = (row: number): string => `the scores of sample ${row}`;
  for (const { scores, unpruned, samples } of answers) {
    for (const label of predictedClasses(form, scores, whose)) predictions.push(label);
    for (const label of samples.labels ?? predictedClasses(form, unpruned, whose)) expected.push(label);
  }
  const found = accuracies(Int32Array.from(predictions), Int32Array.from(expected), form.classes, classPrior);
  if (classPrior) return { name: 'accuracy', value: found.accuracy };
  const labelled = answers.every(({ samples }) => samples.labels);
  return { name: labelled ? 'balancedAccuracy' : 'agreement', value: found.balancedAccuracy };
}

/** The fewest samples of one half that the choice measures on: one a class; ten of tasks with many values or none. */
export function leastForHalf({ task, classes }: ScoreForm): number {
  return hasClasses(task) ? classes : Math.min(Math.max(classes, 4), 10);
}

function joinedTargets(parts: readonly (Targets | undefined)[]): Targets | undefined {
  const [first] = parts;
  if (!first || parts.length === 1) return first;
  return { ...first, data: joinedRows(parts.map((part) => Float32Array.from(must(part, 'targets').data))) };
}
