// Lying nodes on local sockets.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeTrust } from '../test-support/trust-suite.ts';
import { LocalFabric } from './local-fabric.ts';

describeTrust('local sockets', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'bedside-trust-'));
  return {
    join: (_, name, handlers) => new LocalFabric(dir).join(name, handlers),
    requesterName: (name) => name,
    close: () => rm(dir, { recursive: true, force: true }),
  };
});
