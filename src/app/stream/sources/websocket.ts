// Packets over a WebSocket of this machine: text messages of one packet, or several as lines.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { BedsideError, messageOf } from '../../../util/index.ts';
import { loadOptional } from '../../../util/internal.ts';
import { MOST_LINE } from '../packets.ts';
import type { StreamSource } from './source.ts';
import { takePacketLine } from './stdin.ts';

const LOCAL: readonly string[] = ['127.0.0.1', 'localhost', '::1', '[::1]'];
const MOST_CONNECTIONS = 256;

/**
 * Packets of whoever connects to a port of this machine. Runs until it is aborted.
 * @throws BedsideError E_USAGE for a host that is not this machine: there is neither encryption nor a token here
 */
export function webSocketSource(spec: string, host: string, port: number): StreamSource {
  if (!LOCAL.includes(host)) {
    throw new BedsideError(
      'E_USAGE',
      `${spec} listens for others than this machine, without encryption and tokens`,
      {
        hint: 'listen on ws:PORT, behind a proxy with TLS that checks who connects; or use nats:SUBJECT',
      },
    );
  }
  return {
    ...{ spec, bed: `ws:${port}` },
    async run(sink, signal) {
      const { WebSocketServer } = await loadOptional('a WebSocket', () => import('ws'));
      const server = new WebSocketServer({
        ...{ host: host.replace(/[[\]]/g, ''), port, maxPayload: MOST_LINE, perMessageDeflate: false },
        // Pages of a browser say where they are from: none may send signals here.
        verifyClient: ({ origin }: { origin?: string }) => !origin && server.clients.size < MOST_CONNECTIONS,
      });
      try {
        await once(server, 'listening', { signal });
      } catch (cause) {
        server.close();
        if (signal.aborted) return;
        throw new BedsideError('E_FABRIC', `cannot listen on ${spec}: ${messageOf(cause)}`, {
          hint: 'choose another port, or 0 for a free one',
          cause,
        });
      }
      sink.note(`packets are taken from ws://${host}:${(server.address() as AddressInfo).port}`);
      server.on('connection', (socket) => {
        socket.on('message', (data, isBinary) => {
          if (isBinary) {
            sink.malformed(
              new BedsideError('E_DATA', 'a message is binary, not text', {
                hint: 'send packets as JSON text',
              }),
            );
            return;
          }
          for (const line of String(data).split('\n')) if (line.trim() !== '') takePacketLine(sink, line);
        });
        // Frames that are malformed or too large end their connection.
        socket.on('error', (error) => {
          sink.malformed(
            new BedsideError('E_DATA', `a connection was ended: ${messageOf(error)}`, {
              hint: 'check its frames',
            }),
          );
        });
      });
      if (!signal.aborted) await once(signal, 'abort');
      for (const socket of server.clients) socket.terminate();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}
