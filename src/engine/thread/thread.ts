// The compute thread's side: sessions by number, one task after another.
import { parentPort } from 'node:worker_threads';
import { BedsideError, messageOf, must } from '../../util/index.ts';
import { createSession } from '../node.ts';
import type { Session, Tensor } from '../session.ts';
import type { TaskOutcome, TaskReply, TaskRequest } from './messages.ts';

const port = must(parentPort, 'a compute thread has a parent');
const sessions = new Map<number, Session>();

port.on('message', (asked: TaskRequest) => {
  const reply = (done: TaskOutcome): void => {
    const message: TaskReply = { ...done, id: asked.id };
    port.postMessage(message, done.kind === 'result' ? buffersOf(done.result) : []);
  };
  perform(asked).then(reply, (error: unknown) => {
    const { code, message, hint } = BedsideError.is(error)
      ? error
      : new BedsideError('E_ENGINE', messageOf(error));
    reply({ kind: 'failed', code, message, hint });
  });
});

async function perform(asked: TaskRequest): Promise<TaskOutcome> {
  switch (asked.kind) {
    case 'create': {
      const session = await createSession(asked.bytes, asked.options);
      sessions.set(asked.session, session);
      return { kind: 'created', inputNames: session.inputNames, outputNames: session.outputNames };
    }
    case 'run': {
      const session = must(sessions.get(asked.session), 'a session');
      return { kind: 'result', result: await session.run(asked.feeds, asked.outputs) };
    }
    case 'release':
      await sessions.get(asked.session)?.release();
      sessions.delete(asked.session);
      return { kind: 'released' };
  }
}

function buffersOf(result: Record<string, Tensor>): ArrayBuffer[] {
  return Object.values(result).map(({ data }) => data.buffer as ArrayBuffer);
}
