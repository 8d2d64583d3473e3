// The bundles of a device on a fabric: their parts are fetched when a message needs them, before it is handled.
import { PartialBundle } from '../../bundle/index.ts';
import { formatBytes } from '../../util/index.ts';
import type { Device } from '../device.ts';
import type { Endpoint, Fabric, NodeHandlers } from '../fabric.ts';
import type { Message } from '../messages.ts';
import { wordsOf } from '../words.ts';
import { BundleStore } from './bundle-store.ts';
import type { NatsAccess } from './connect.ts';

/** What a device has of a bundle. */
export interface HeldBundle {
  readonly name: string;
  readonly sha256: string;
  /** Stages that it has the weights of. */
  readonly stages: readonly number[];
  /** Whether it has timed the stages itself. */
  readonly measured: boolean;
}

type Needing = Extract<Message, { readonly bundle: string }>;

/** A fabric on which a device is handed messages when it has what they need. */
export class HeldBundles implements Fabric {
  readonly #inner: Fabric;
  readonly #device: Device;
  readonly #access: NatsAccess;
  readonly #onNote: (text: string) => void;
  readonly #held = new Map<string, PartialBundle>();
  readonly #measured = new Set<string>();
  /** By bundle: messages wait for what is fetched for those before them. */
  readonly #queues = new Map<string, Promise<void>>();
  /** By question: the bundle that is being measured. */
  readonly #measuring = new Map<string, string>();

  constructor(inner: Fabric, device: Device, access: NatsAccess, onNote: (text: string) => void = () => {}) {
    this.#inner = inner;
    this.#device = device;
    this.#access = access;
    this.#onNote = onNote;
  }

  get bundles(): readonly HeldBundle[] {
    return [...this.#held].map(([sha256, { bundle, held }]) => ({
      name: bundle.manifest.name,
      sha256,
      stages: held,
      measured: this.#measured.has(sha256),
    }));
  }

  async join(name: string, handlers: NodeHandlers): Promise<Endpoint> {
    const endpoint = await this.#inner.join(name, {
      ...handlers,
      message: (from, message) => {
        if ('bundle' in message) this.#take(endpoint, handlers, from, message);
        else handlers.message(from, message);
      },
    });
    return {
      name: endpoint.name,
      send: (to, message) => {
        if (message.kind === 'report') this.#reported(message.id);
        endpoint.send(to, message);
      },
      watch: (peer) => endpoint.watch(peer),
      leave: (why) => endpoint.leave(why),
      close: () => endpoint.close(),
    };
  }

  #take(endpoint: Endpoint, handlers: NodeHandlers, from: string, message: Needing): void {
    const { bundle } = message;
    if (message.kind === 'measure') this.#measuring.set(message.id, bundle);
    const before = this.#queues.get(bundle);
    if (!before && this.#lacks(message).length === 0 && this.#held.has(bundle)) {
      handlers.message(from, message);
      return;
    }
    const turn = (before ?? Promise.resolve())
      .then(() => this.#fetch(message))
      .then(
        () => handlers.message(from, message),
        (error: unknown) => refuse(endpoint, from, message, error),
      );
    this.#queues.set(bundle, turn);
    void turn.finally(() => {
      if (this.#queues.get(bundle) === turn) this.#queues.delete(bundle);
    });
  }

  /** Stages of this device in the message's plan that it has no weights of. */
  #lacks(message: Needing): number[] {
    if (message.kind === 'measure') return [];
    const own = message.plan.stages.filter(({ segments }) =>
      segments.some(({ device }) => device === this.#device.name),
    );
    const held = this.#held.get(message.bundle);
    return own.map(({ index }) => index).filter((stage) => !held?.holds(stage));
  }

  async #fetch(message: Needing): Promise<void> {
    const { bundle: sha256 } = message;
    if (this.#held.has(sha256) && this.#lacks(message).length === 0) return;
    await using store = await BundleStore.open(this.#access);
    let held = this.#held.get(sha256);
    if (!held) {
      const index = await store.index(sha256);
      held = new PartialBundle(sha256, index, {
        manifest: await store.part(index.manifest),
        frame: await store.part(index.frame),
        common: await store.part(index.common),
      });
      const made = held;
      this.#held.set(sha256, made);
      this.#device.hold(made.bundle, (stage) => made.holds(stage));
    }
    const { name } = held.bundle.manifest;
    const lacking = this.#lacks(message);
    let bytes = 0;
    for (const stage of lacking) {
      const part = held.index.stages[stage];
      if (!part) continue;
      held.fill(stage, await store.part(part));
      bytes += part.bytes;
    }
    if (lacking.length > 0) {
      this.#onNote(`fetched stages ${lacking.join(', ')} of '${name}', ${formatBytes(bytes)}`);
    }
  }

  #reported(id: string): void {
    const bundle = this.#measuring.get(id);
    if (bundle === undefined) return;
    this.#measuring.delete(id);
    this.#measured.add(bundle);
  }
}

/** Whoever waits is told. */
function refuse(endpoint: Endpoint, from: string, message: Needing, cause: unknown): void {
  const error = wordsOf(cause);
  if (message.kind === 'part') {
    const { request, epoch, requester } = message;
    endpoint.send(requester, { kind: 'failed', request, epoch, error });
  } else if (message.kind === 'warm') endpoint.send(from, { kind: 'warmed', id: message.id, error });
  else endpoint.send(from, { kind: 'refused', id: message.id, error });
}
