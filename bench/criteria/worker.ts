// A process of the study: takes jobs from its parent one at a time and answers each with a cell.
import { messageOf, must } from '../../src/util/index.ts';
import type { Cell } from './cells.ts';
import { type Job, keyOf } from './plan.ts';
import { StudiedModel } from './studied-model.ts';

/** What a worker sends: first that it is ready, then one answer a job. */
export type Answer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'cell'; readonly cell: Cell }
  | { readonly kind: 'failed'; readonly key: string; readonly reason: string };

const models = new Map<string, Promise<StudiedModel>>();

async function answerTo(job: Job): Promise<Answer> {
  try {
    const opened = models.get(job.model) ?? StudiedModel.open(job.model);
    models.set(job.model, opened);
    return { kind: 'cell', cell: await (await opened).run(job) };
  } catch (cause) {
    return { kind: 'failed', key: keyOf(job), reason: messageOf(cause) };
  }
}

const send = must(process.send?.bind(process), 'a worker is started by the study');
process.on('message', (job: Job) => {
  void answerTo(job).then((answer) => send(answer));
});
process.on('disconnect', () => process.exit(0));
send({ kind: 'ready' } satisfies Answer);
