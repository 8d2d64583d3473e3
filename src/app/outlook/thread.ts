// The thread's side of an outlook: one task after another.
import { parentPort } from 'node:worker_threads';
import type { BundleManifest } from '../../bundle/index.ts';
import { BedsideError, messageOf, must } from '../../util/index.ts';
import { comparePlans } from './compare-plans.ts';
import type { OutlookReply, OutlookTask } from './messages.ts';
import { whatIf } from './what-if.ts';

const port = must(parentPort, 'a worker thread has a parent');
const bundles = new Map<string, BundleManifest>();
let turn: Promise<void> = Promise.resolve();

port.on('message', (task: OutlookTask) => {
  turn = turn.then(async () => {
    if (task.kind === 'bundle') {
      bundles.set(task.bundle, task.manifest);
      return;
    }
    port.postMessage(await answered(task));
  });
});

async function answered(task: Exclude<OutlookTask, { kind: 'bundle' }>): Promise<OutlookReply> {
  const { id, moment } = task;
  try {
    const manifest = must(bundles.get(task.bundle), 'a bundle that was sent');
    const result =
      task.kind === 'compare'
        ? await comparePlans(manifest, moment, task.plan, task.seconds)
        : await whatIf(manifest, moment, task.edit, task.solver);
    return { id, result };
  } catch (error) {
    const [code, hint] = BedsideError.is(error) ? [error.code, error.hint] : (['E_INTERNAL'] as const);
    return { id, error: { code, message: messageOf(error), hint } };
  }
}
