// Where workers of one machine meet: in a folder, or on a NATS server.

import type { NatsAccess } from '../nats/index.ts';
import type { Fabric } from '../protocol/fabric.ts';
import { LocalFabric } from './local-fabric.ts';

/** A folder of local sockets, or a server. */
export type TransportAddress = { readonly dir: string } | { readonly nats: NatsAccess };

/** The fabric of a place; NATS is loaded only where it is asked for. */
export async function openFabric(place: TransportAddress): Promise<Fabric> {
  if ('dir' in place) return new LocalFabric(place.dir);
  const { NatsFabric } = await import('../nats/index.ts');
  return new NatsFabric(place.nats);
}
