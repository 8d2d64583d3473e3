// A process of the study of the ward: takes jobs from its parent one at a time.
import { messageOf } from '../../src/util/index.ts';
import { runWardJob, type WardJob, type WardResult } from './ward-jobs.ts';

/** What a worker sends: first that it is ready, then one answer a job. */
export type WardAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'result'; readonly result: WardResult }
  | { readonly kind: 'failed'; readonly reason: string };

async function answerTo(job: WardJob): Promise<WardAnswer> {
  try {
    return { kind: 'result', result: await runWardJob(job) };
  } catch (cause) {
    return { kind: 'failed', reason: messageOf(cause) };
  }
}

process.on('message', (job: WardJob) => {
  void answerTo(job).then((answer) => process.send?.(answer));
});
process.on('disconnect', () => process.exit(0));
process.send?.({ kind: 'ready' } satisfies WardAnswer);
