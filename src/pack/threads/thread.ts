// The measuring thread's side: one evaluator, and one level vector after the other.
import { findGroups } from '../../channels/index.ts';
import { readModel } from '../../onnx/index.ts';
import { must } from '../../util/index.ts';
import { answerQuestions } from '../../util/internal.ts';
import { VariantEvaluator } from '../variant-evaluator.ts';
import type { MeasuringReply, MeasuringTask } from './messages.ts';

let evaluator: VariantEvaluator | undefined;

answerQuestions(async (asked: MeasuringTask): Promise<MeasuringReply> => {
  if (asked.kind !== 'start') {
    const ready = must(evaluator, 'an evaluator');
    return asked.kind === 'measure'
      ? { kind: 'measured', result: await ready.measureLevels(asked.levels) }
      : { kind: 'error', error: await ready.errorOf(asked.levels) };
  }
  const { bundle, options, whole } = asked;
  const model = readModel(bundle.model, options.name);
  evaluator = await VariantEvaluator.create(
    { ...bundle, model, grouping: findGroups(model) },
    options,
    whole,
  );
  return { kind: 'started' };
});
