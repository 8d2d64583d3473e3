import { describe } from 'vitest';
import type { Fabric } from '../protocol/fabric.ts';
import { describeFabric } from '../test-support/fabric-suite.ts';
import { NatsFabric } from './nats-fabric.ts';
import { hasNatsServer, TestServer } from './test-support/nats-server.ts';

describe.skipIf(!hasNatsServer)('over a real server', () => {
  const nameOf = (node: string): string => `coordinator/${node}`;
  // With small payloads the larger tensors of the suite travel in hundreds of chunks.
  const start = () => TestServer.start({ maxPayload: 16_384 });

  // Each node has a fabric object of its own, as in separate processes.
  describeFabric('nats', async () => {
    const server = await start();
    const credentials = await server.credentials('coordinator');
    const fabric: Fabric = { join: (name, handlers) => new NatsFabric({ credentials }).join(name, handlers) };
    return { fabric, nameOf, close: () => server.close() };
  });

  describeFabric('nats, in one process', async () => {
    const server = await start();
    const fabric = new NatsFabric({ credentials: await server.credentials('coordinator') });
    return { fabric, nameOf, close: () => server.close() };
  });
});
