// How nodes reach each other: the interface only. `test-support/fabric-suite.ts` is what every implementation keeps to.
import type { NodeMessage } from './messages.ts';

/** What a node does with what comes. */
export interface NodeHandlers {
  /** A whole message: never a half tensor. From one sender, messages with tensors come in the order they were sent. */
  readonly message: (from: string, message: NodeMessage) => void;
  /** A watched node is silent or gone. Told once for each time it is lost. */
  readonly lost: (peer: string, why: string) => void;
  /** A node that was lost gives signs of life again, or another of its name does. */
  readonly found?: ((peer: string) => void) | undefined;
  /**
   * Messages between this node and these peers, or of these peers, may have been lost on the way, and they can be reached
   * again. Only of fabrics that lose connections without losing nodes.
   */
  readonly restored?: ((peers: ReadonlySet<string>) => void) | undefined;
}

/** A node's access to the others. */
export interface Endpoint {
  readonly name: string;
  /**
   * Sends at most once, and does not wait; what is sent to a node that is gone is lost. The tensor of a message belongs
   * to the fabric from then on.
   */
  send(to: string, message: NodeMessage): void;
  /** Tells `lost` when no sign of life came from a node for `SILENCE_MS`. */
  watch(peer: string): void;
  /** It goes soon: to those who watch it, it is lost from now on. */
  leave(why: string): void;
  close(): Promise<void>;
}

/** A place that nodes join. */
export interface Fabric {
  /** @throws BedsideError E_FABRIC when the name is taken or the place is gone */
  join(name: string, handlers: NodeHandlers): Promise<Endpoint>;
}

/** Milliseconds between signs of life, and after which a silent node counts as lost: within 2 s all told. */
export const HEARTBEAT_MS = 250;
export const SILENCE_MS = 1500;
