// Packets on a NATS subject: each message holds one packet, or several as lines.
import { loadNats } from '../../../run/index.ts';
import { findAccess, type ServerOptions } from '../../cluster/access.ts';
import { MOST_LINE } from '../packets.ts';
import type { SourceSink, StreamSource } from './source.ts';
import { takePacketLine } from './stdin.ts';

/** Packets of a subject. Runs until it is aborted. */
export function natsSource(spec: string, subject: string, server: ServerOptions): StreamSource {
  return {
    ...{ spec, bed: subject },
    async run(sink, signal) {
      const { connectNats } = await loadNats();
      const connection = await connectNats(await findAccess(server, ['monitor', 'coordinator', 'client']));
      const stop = (): void => void connection.close();
      signal.addEventListener('abort', stop, { once: true });
      try {
        if (signal.aborted) return;
        const subscription = connection.subscribe(subject);
        await connection.flush();
        sink.note(`packets are taken from ${subject}`);
        void follow(connection.status(), sink);
        for await (const message of subscription) {
          const text = message.data.length > MOST_LINE ? undefined : message.string();
          for (const line of text?.split('\n').filter((own) => own.trim() !== '') ?? [undefined]) {
            takePacketLine(sink, line);
          }
        }
      } finally {
        signal.removeEventListener('abort', stop);
        await connection.close();
      }
    },
  };
}

/** Says when the server is away: what is sent meanwhile never comes. Ends with the connection. */
async function follow(changes: AsyncIterable<{ readonly type: string }>, sink: SourceSink): Promise<void> {
  for await (const { type } of changes) {
    if (type === 'disconnect')
      sink.note('the connection to the NATS server of the packets is lost; reconnecting');
    if (type === 'reconnect')
      sink.note(
        'the connection to the NATS server of the packets is restored; what was sent meanwhile is lost',
      );
  }
}
