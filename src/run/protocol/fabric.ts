// How nodes reach each other: the interface only. `test-support/fabric-suite.ts` tests every implementation of it.
import os from 'node:os';
import type { NodeMessage } from './messages.ts';

/** What a node does when something arrives or a peer is lost. */
export interface NodeHandlers {
  /** Receives a complete message, never half a tensor. Tensors from one sender arrive in the order they were sent. */
  readonly message: (from: string, message: NodeMessage) => void;
  /** A watched node is silent or gone. Called once each time it is lost. */
  readonly lost: (peer: string, why: string) => void;
  /** A lost node, or a new one with its name, sends heartbeats again. */
  readonly found?: ((peer: string) => void) | undefined;
  /**
   * These peers can be reached again, but messages to, from or between them may have been lost. Only fabrics that can
   * lose a connection without losing the node call this.
   */
  readonly restored?: ((peers: ReadonlySet<string>) => void) | undefined;
}

/** A node's access to the others. */
export interface Endpoint {
  readonly name: string;
  /** Whether a device counts the bytes of inputs that are sent here. */
  readonly countsInputs?: boolean | undefined;
  /**
   * Sends at most once and does not wait. A message to a node that is gone is lost. The tensor of a message belongs to
   * the fabric from then on.
   */
  send(to: string, message: NodeMessage): void;
  /** Calls `lost` when no heartbeat has come from a node for `silenceMs()`. */
  watch(peer: string): void;
  /** Announces that this node goes. Those who watch it count it as lost from now on. */
  leave(why: string): void;
  close(): Promise<void>;
}

/** The network that nodes join. */
export interface Fabric {
  /** @throws BedsideError E_FABRIC when the name is taken or the fabric cannot be reached */
  join(name: string, handlers: NodeHandlers): Promise<Endpoint>;
}

/** Milliseconds between heartbeats. */
export const HEARTBEAT_MS = 250;
/** Milliseconds after which a silent node counts as lost, so that a loss is noticed within 2 s in all. */
const SILENCE_MS = 1500;
const MOST_SILENCE_MS = 10_000;

/**
 * Milliseconds of silence after which a node counts as lost. Where more processes wait for this machine's cores than
 * there are, a node that lives, or what it has sent, may wait as well: a busy machine is more patient.
 */
export function silenceMs(): number {
  const waiting = (os.loadavg()[0] ?? 0) / os.availableParallelism() - 1;
  return Math.min(MOST_SILENCE_MS, SILENCE_MS * Math.max(1, waiting));
}
