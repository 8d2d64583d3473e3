import { describe } from 'vitest';
import { describeFabric } from '../test-support/fabric-suite.ts';
import { NatsFabric } from './nats-fabric.ts';
import { hasNatsServer, TestServer } from './test-support/nats-server.ts';

describe.skipIf(!hasNatsServer)('over a real server', () => {
  describeFabric('nats', async () => {
    // Small payloads: the larger tensors of the suite travel in hundreds of chunks.
    const server = await TestServer.start({ maxPayload: 16_384 });
    const fabric = new NatsFabric({ credentials: await server.credentials('coordinator') });
    return { fabric, nameOf: (node) => `coordinator/${node}`, close: () => server.close() };
  });
});
