// The process of a local worker: opens the bundles, joins the fabric, reports that it is ready, and ends with its
// parent.
import { openBundle } from '../../bundle/index.ts';
import { Device } from '../device/device.ts';
import type { SharedChannel } from '../device/link-emulation.ts';
import { Worker } from '../device/worker.ts';
import { serializeError } from '../protocol/error-codec.ts';
import type { ChildOrder, ChildReply, ChildTask } from './local-workers.ts';
import { openFabric } from './transport-address.ts';

const reply = (message: ChildReply): Promise<void> =>
  new Promise((resolve) => process.send?.(message, () => resolve()) ?? resolve());

// Ctrl-C reaches the whole process group, but the parent decides when workers end.
process.on('SIGINT', () => {});
process.once('disconnect', () => process.exit(0));
process.once('message', (task: ChildTask) => {
  void run(task).catch(async (error: unknown) => {
    await reply({ error: serializeError(error) });
    process.exit(1);
  });
});

async function run({ address, device, links, bundles }: ChildTask): Promise<void> {
  const opened = [];
  for (const path of bundles) opened.push(await openBundle(path));
  const onLeave = (): void => void setTimeout(() => process.exit(0), 100);
  const waiting = new Map<number, (wait: number) => void>();
  let next = 0;
  const sharedChannel: SharedChannel = (sending) =>
    new Promise((resolve) => {
      const id = next++;
      waiting.set(id, resolve);
      void reply({ kind: 'channel', id, sending });
    });
  const worker = new Worker(new Device(device, opened), { links, sharedChannel, onLeave });
  await worker.join(await openFabric(address));
  process.on('message', (order: ChildOrder) => {
    if (order.kind === 'links') worker.setLinks(order.links);
    else {
      waiting.get(order.id)?.(order.wait);
      waiting.delete(order.id);
    }
  });
  await reply({ ready: true });
}
