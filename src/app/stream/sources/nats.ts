// Packets on a NATS subject: each message holds one packet, or several as lines.
import { loadNats } from '../../../run/index.ts';
import { findAccess, type ServerOptions } from '../../cluster/access.ts';
import { MOST_LINE } from '../packets.ts';
import type { StreamSource } from './source.ts';
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
