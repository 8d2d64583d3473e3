// The measuring thread's side: one evaluator, and one level vector after the other.
import { parentPort } from 'node:worker_threads';
import { findGroups } from '../../channels/index.ts';
import { readModel } from '../../onnx/index.ts';
import { BedsideError, messageOf, must } from '../../util/index.ts';
import { VariantEvaluator } from '../variant-evaluator.ts';
import type { MeasuringReply, MeasuringTask } from './messages.ts';

const port = must(parentPort, 'a measuring thread has a parent');
let evaluator: VariantEvaluator | undefined;

port.on('message', (asked: MeasuringTask) => {
  perform(asked).then(
    (reply) => port.postMessage(reply),
    (error: unknown) => {
      const { code, message, hint } = BedsideError.is(error)
        ? error
        : new BedsideError('E_INTERNAL', `internal: ${messageOf(error)}`);
      port.postMessage({ kind: 'failed', code, message, hint } satisfies MeasuringReply);
    },
  );
});

async function perform(asked: MeasuringTask): Promise<MeasuringReply> {
  if (asked.kind === 'measure') {
    const result = await must(evaluator, 'an evaluator').measureLevels(asked.levels);
    return { kind: 'measured', result };
  }
  const { bundle, options } = asked;
  const model = readModel(bundle.model, options.name);
  evaluator = await VariantEvaluator.create({ ...bundle, model, grouping: findGroups(model) }, options);
  return { kind: 'started' };
}
