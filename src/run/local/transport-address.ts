// The address at which nodes meet: a folder of local sockets, or a NATS server.
import type { NatsAccess } from '../nats/index.ts';
import type { Fabric } from '../protocol/fabric.ts';
import { LocalFabric } from './local-fabric.ts';

/** A folder of local sockets, or access to a NATS server. */
export type TransportAddress = { readonly dir: string } | { readonly nats: NatsAccess };

/** The fabric at an address. The NATS client is loaded only if it is needed. */
export async function openFabric(address: TransportAddress): Promise<Fabric> {
  if ('dir' in address) return new LocalFabric(address.dir);
  const { NatsFabric } = await import('../nats/index.ts');
  return new NatsFabric(address.nats);
}
