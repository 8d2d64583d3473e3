// A device that did not answer is used again once the fabric says that messages between may have been lost.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { canonicalGraph } from '../../onnx/internal.ts';
import { Device } from '../device/device.ts';
import { Worker } from '../device/worker.ts';
import { LocalFabric } from '../local/local-fabric.ts';
import type { NodeHandlers } from '../protocol/fabric.ts';
import { writtenBundle } from '../test-support/bundles.ts';
import { mixedNet } from '../test-support/mixed-net.ts';
import { Coordinator } from './coordinator.ts';

it('a device that was started anew before its silence was noticed is not lost for ever', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bedside-returning-'));
  const bundle = await writtenBundle(join(folder, 'mixed'), canonicalGraph(mixedNet()));
  const fabric = new LocalFabric(folder);
  const deaf = await fabric.join('b', { message: () => {}, lost: () => {} });
  const coordinator = new Coordinator('requester', bundle, { silence: 50, standstill: 1000, total: 1000 });
  let handlers: NodeHandlers | undefined;
  await coordinator.join({
    join: (name, given) => {
      handlers = given;
      // The fabric says nothing of a node that is gone, as a server does for a moment.
      return fabric.join(name, { ...given, lost: () => {}, found: () => {} });
    },
  });
  await expect(coordinator.report('b')).rejects.toMatchObject({ code: 'E_LOST' });
  expect([...coordinator.lost.keys()]).toEqual(['b']);
  await deaf.close();
  const worker = new Worker(new Device({ name: 'b' }, [bundle]));
  await worker.join(fabric);
  handlers?.restored?.(new Set(['b']));
  expect([...coordinator.lost]).toEqual([]);
  await coordinator.close();
  await worker.close();
  await rm(folder, { recursive: true, force: true });
});
