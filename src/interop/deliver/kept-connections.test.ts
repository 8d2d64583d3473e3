// Connections that are kept: one for many requests, and a new one where the server had closed it meanwhile.
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { ask, KeptConnections } from './ask.ts';

const sockets = new Set<Socket>();
let connections = 0;
let requests = 0;
let server: Server;

async function serving(): Promise<string> {
  [connections, requests] = [0, 0];
  server = createServer((_request, response) => {
    requests++;
    response.end(String(requests));
  });
  server.on('connection', (socket) => {
    connections++;
    sockets.add(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const asked = { method: 'POST', path: '/', body: 'x', timeout: 5, most: 100 } as const;

it('many requests share a connection, and each has one of its own without', async () => {
  const url = await serving();
  const kept = new KeptConnections();
  for (let at = 1; at <= 5; at++) {
    const { body } = await ask({ url }, url, { ...asked, kept });
    expect(String(body)).toBe(String(at));
  }
  expect(connections).toBe(1);
  await ask({ url }, url, asked);
  await ask({ url }, url, asked);
  expect(connections).toBe(3);
  kept.close();
});

it('a request on a connection that the server resets is sent again on a new one, once', async () => {
  const url = await serving();
  const kept = new KeptConnections();
  await ask({ url }, url, { ...asked, kept });
  // As when the reset and the next request cross on the way.
  server.removeAllListeners('request');
  let resets = 0;
  server.on('request', (request, response) => {
    if (++resets === 1) request.socket.resetAndDestroy();
    else response.end('again');
  });
  expect(String((await ask({ url }, url, { ...asked, kept })).body)).toBe('again');
  expect(connections).toBe(2);
  resets = 0;
  kept.close();
  // The first request of a connection is not sent twice.
  await expect(ask({ url }, url, { ...asked, kept: new KeptConnections() })).rejects.toMatchObject({
    code: 'E_FABRIC',
  });
});
