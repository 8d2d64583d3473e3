// Lying nodes on a real NATS server, each with the key of a worker.
import { describe } from 'vitest';
import { describeTrust } from '../test-support/trust-suite.ts';
import { NatsFabric } from './nats-fabric.ts';
import { hasNatsServer, TestServer } from './test-support/nats-server.ts';

describe.skipIf(!hasNatsServer)('over a real server', () => {
  describeTrust('NATS', async () => {
    const server = await TestServer.start();
    const [worker, coordinator] = [
      await server.credentials('worker'),
      await server.credentials('coordinator'),
    ];
    return {
      join: (role, name, handlers) =>
        new NatsFabric({ credentials: role === 'worker' ? worker : coordinator }).join(name, handlers),
      requesterName: (name) => `coordinator/${name}`,
      close: () => server.close(),
    };
  });
});
