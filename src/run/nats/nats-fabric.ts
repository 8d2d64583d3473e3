// The fabric of several machines: nodes meet on a NATS server, each with a connection for tensors and one for the rest.
import type { NatsConnection } from '@nats-io/transport-node';
import type { Fabric, NodeHandlers } from '../protocol/fabric.ts';
import { signingIdentityOf } from './identity/statement.ts';
import { connectNats, type NatsAccess } from './transport/connect.ts';
import { assertNameAllowed, assertNameFree } from './transport/name-check.ts';
import { NatsEndpoint, type NatsEndpointOptions } from './transport/nats-endpoint.ts';
import { addressOf, tokensOf } from './transport/subjects.ts';

/** Note on an open server, given once. */
export const OPEN_NOTE =
  'without credentials nothing is protected: whoever reaches this server can read and say everything; bedside cluster init makes one that holds';

/** Options of all nodes that join through a fabric. */
export type NatsFabricOptions = NatsEndpointOptions;

/** Connects nodes of several machines. Nodes of this process that join through one object reach each other directly. */
export class NatsFabric implements Fabric {
  readonly access: NatsAccess;
  readonly #options: NatsFabricOptions;
  readonly #inProcess = new Map<string, NatsEndpoint>();
  #hasNoted = false;

  constructor(access: NatsAccess, options: NatsFabricOptions = {}) {
    this.access = access;
    this.#options = options;
  }

  /** @throws BedsideError E_FABRIC, as `Fabric.join`, and if the credentials do not allow the name */
  async join(name: string, handlers: NodeHandlers): Promise<NatsEndpoint> {
    assertNameAllowed(this.access, name);
    const tokens = tokensOf(addressOf(name));
    const connections: NatsConnection[] = [];
    try {
      const control = await connectNats(this.access, { who: tokens });
      connections.push(control);
      if (!this.access.credentials && !this.#hasNoted) {
        this.#hasNoted = true;
        this.#options.onNote?.(OPEN_NOTE);
      }
      await assertNameFree(control, tokens, name);
      const tensors = await connectNats(this.access, { who: tokens });
      connections.push(tensors);
      const both = { control, tensor: tensors };
      const own = signingIdentityOf(this.access.credentials);
      const local = { own, inProcess: this.#inProcess };
      const endpoint = new NatsEndpoint(name, both, handlers, this.#options, local);
      await endpoint.listen();
      this.#inProcess.set(name, endpoint);
      return endpoint;
    } catch (error) {
      for (const connection of connections) await connection.close();
      throw error;
    }
  }
}
