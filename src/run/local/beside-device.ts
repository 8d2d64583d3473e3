// A requester sits beside the source. An input that it sends to another device crosses the link of the source, which is
// emulated as if the source had sent it.
import type { Worker } from '../device/worker.ts';
import type { Endpoint, Fabric } from '../protocol/fabric.ts';
import { firstDeviceOf, sourceOf } from '../protocol/plan.ts';
import { inputBytesOnTheWire } from '../protocol/wire.ts';

/** A fabric whose nodes sit beside a device of this process: inputs that leave it are delayed and counted as its own. */
export function besideDevice(fabric: Fabric, device: string, worker: Worker): Fabric {
  return {
    async join(name, handlers): Promise<Endpoint> {
      const endpoint = await fabric.join(name, handlers);
      return {
        name,
        countsInputs: true,
        send(to, message) {
          const isInput = message.kind === 'part' && 'plan' in message;
          if (!isInput || sourceOf(message.plan) !== device || firstDeviceOf(message.plan) === device) {
            endpoint.send(to, message);
            return;
          }
          worker.carry(to, inputBytesOnTheWire(message.tensor), () => endpoint.send(to, message));
        },
        watch: (peer) => endpoint.watch(peer),
        leave: (why) => endpoint.leave(why),
        close: () => endpoint.close(),
      };
    },
  };
}
