// Workers and a coordinator in the process of the test, with a record of their messages.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bundle } from '../../bundle/index.ts';
import { Coordinator } from '../client/coordinator.ts';
import { Device, type DeviceOptions } from '../device/device.ts';
import { Worker } from '../device/worker.ts';
import { LocalFabric } from '../local/local-fabric.ts';
import type { Endpoint, Fabric, NodeHandlers } from '../protocol/fabric.ts';
import type { NodeMessage } from '../protocol/messages.ts';

/** Every message, in the order it was sent. */
type Sent = { readonly from: string; readonly to: string; readonly message: NodeMessage }[];

/** Wraps a fabric: records all messages, and with `repeat` sends everything twice. */
export class Recorded implements Fabric {
  readonly sent: Sent = [];
  readonly received: Sent = [];
  readonly #inner: Fabric;
  readonly #repeat: boolean;

  constructor(inner: Fabric, repeat = false) {
    this.#inner = inner;
    this.#repeat = repeat;
  }

  async join(name: string, handlers: NodeHandlers): Promise<Endpoint> {
    const end = await this.#inner.join(name, {
      ...handlers,
      message: (from, message) => {
        this.received.push({ from, to: name, message });
        handlers.message(from, message);
      },
    });
    return {
      name,
      send: (to, message) => {
        this.sent.push({ from: name, to, message });
        end.send(to, message);
        if (this.#repeat) end.send(to, message);
      },
      watch: (peer) => end.watch(peer),
      leave: (why) => end.leave(why),
      close: () => end.close(),
    };
  }
}

/**
 * Workers that hold a bundle, and their coordinator.
 * @param sockets whether messages go over sockets, as between processes
 */
export async function inOneProcess(
  bundle: Bundle,
  devices: readonly DeviceOptions[],
  repeat = false,
  sockets = false,
) {
  const dir = await mkdtemp(join(tmpdir(), 'bedside-fabric-'));
  const apart: Fabric = { join: (name, handlers) => new LocalFabric(dir).join(name, handlers) };
  const fabric = new Recorded(sockets ? apart : new LocalFabric(dir), repeat);
  const workers = devices.map((device) => new Worker(new Device(device, [bundle])));
  for (const worker of workers) await worker.join(fabric);
  const coordinator = new Coordinator('requester', bundle);
  await coordinator.join(fabric);
  const close = async (): Promise<void> => {
    await coordinator.close();
    for (const worker of workers) await worker.close();
    await rm(dir, { recursive: true, force: true });
  };
  return { fabric, workers, requester: coordinator, [Symbol.asyncDispose]: close };
}
