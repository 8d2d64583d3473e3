// Workers of this machine that are killed, throttled and cut off, behind a gateway.
import { setTimeout as sleep } from 'node:timers/promises';
import { LocalPool, type WorkerPool } from '../../app/index.ts';
import type { Bundle } from '../../bundle/index.ts';
import { type Fleet, fleetOf } from '../../plan/index.ts';
import type { Fabric } from '../../run/index.ts';
import type { Random } from '../../util/internal.ts';

/** The worker in the process of the gateway is slow, so plans need the others. */
const SOURCE = 'source';
const OTHERS = ['a', 'b', 'c'];
const LINK = { latency: 1e-4, bytesPerSecond: 1e9 };

export const FAULTS = ['kill', 'cut', 'throttle'] as const;
export type Fault = (typeof FAULTS)[number];

function fleet(bytesPerSecond: number): Fleet {
  return fleetOf({
    format: 'bedside-fleet',
    version: 1,
    name: 'faulty',
    source: SOURCE,
    devices: [SOURCE, ...OTHERS].map((name) => ({
      ...{ name, memory: 2 ** 30, joulesPerMac: 0, trusted: true },
      macsPerSecond: name === SOURCE ? 1e7 : 1e9,
      speed: name === SOURCE ? 0.05 : 1,
    })),
    network: { channel: 'independent', ...LINK, bytesPerSecond },
  });
}

/** A pool whose faults are struck from outside. */
export class FaultyPool {
  readonly pool: WorkerPool;
  readonly counts: Record<Fault, number> = { kill: 0, cut: 0, throttle: 0 };
  readonly #local: LocalPool;
  readonly #random: Random;
  readonly #cut = new Set<string>();
  readonly #ends = new Set<Promise<void>>();
  #struck = 0;

  constructor(bundle: Bundle, random: Random, reviveAfter: number) {
    const local = LocalPool.of(bundle, { fleet: fleet(LINK.bytesPerSecond), reviveAfter });
    this.#local = local;
    this.#random = random;
    this.pool = {
      ...{ bundle, fleet: local.fleet, clientName: local.clientName, unmeasured: [] },
      open: async (reporter) => this.#cuttable(await local.open(reporter)),
      measure: (...given) => local.measure(...given),
      close: () => local.close(),
      [Symbol.asyncDispose]: () => local.close(),
    };
  }

  /** Strikes some worker with the next fault; a cut or throttled link is whole again a little later. */
  strike(): void {
    const victim = OTHERS[this.#random.integer(OTHERS.length)] ?? '';
    const fault = FAULTS[this.#struck++ % FAULTS.length] ?? 'kill';
    this.counts[fault]++;
    const end = this.#strike(fault, victim);
    this.#ends.add(end);
    void end.finally(() => this.#ends.delete(end));
  }

  /** Resolves when no fault is left. */
  async settled(): Promise<void> {
    await Promise.all(this.#ends);
  }

  /** Workers whose process has ended. */
  ended(): Promise<readonly string[]> {
    return this.#local.ended();
  }

  async #strike(fault: Fault, victim: string): Promise<void> {
    switch (fault) {
      case 'kill':
        await this.#local.kill(victim);
        return;
      case 'cut':
        this.#cut.add(victim);
        await sleep(200);
        this.#cut.delete(victim);
        return;
      case 'throttle':
        await this.#local.setLinks(fleet(1e4));
        await sleep(300);
        await this.#local.setLinks(fleet(LINK.bytesPerSecond));
    }
  }

  /** The same fabric, but for messages between the gateway and a worker that is cut off. */
  #cuttable(fabric: Fabric): Fabric {
    return {
      join: async (name, handlers) => {
        const end = await fabric.join(name, {
          ...handlers,
          message: (from, message) => {
            if (!this.#cut.has(from)) handlers.message(from, message);
          },
        });
        return {
          name,
          send: (to, message) => {
            if (!this.#cut.has(to)) end.send(to, message);
          },
          watch: (peer) => end.watch(peer),
          leave: (why) => end.leave(why),
          close: () => end.close(),
        };
      },
    };
  }
}
