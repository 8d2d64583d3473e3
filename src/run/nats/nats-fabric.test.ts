import { describe } from 'vitest';
import { describeFabric } from '../test-support/fabric-suite.ts';
import { NatsFabric } from './nats-fabric.ts';
import { hasNatsServer, TestServer } from './test-support/nats-server.ts';

describe.skipIf(!hasNatsServer)('over a real server', () => {
  for (const [what, maxPayload] of [
    ['nats', undefined],
    ['nats with small payloads', 16_384],
  ] as const) {
    describeFabric(what, async () => {
      const server = await TestServer.start(maxPayload);
      const fabric = new NatsFabric({ credentials: await server.credentials('coordinator') });
      return { fabric, nameOf: (node) => `coordinator/${node}`, close: () => server.close() };
    });
  }
});
