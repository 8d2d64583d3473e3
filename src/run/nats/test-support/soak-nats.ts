// Faults over NATS: processes of workers killed before, during and between stages and started again, or stopped for a
// while; cables cut; the server killed; tensors that come twice, or long after.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bundle, MANIFEST_FILE } from '../../../bundle/index.ts';
import { largestDifference } from '../../../channels/test-support/net.ts';
import type { FloatTensor } from '../../../engine/index.ts';
import { must, type Random } from '../../../util/index.ts';
import { Coordinator, type InferenceResult } from '../../client/coordinator.ts';
import type { RunPlan } from '../../protocol/plan.ts';
import { planThrough, randomPlan, SingleMachine } from '../../test-support/bundles.ts';
import type { SoakFixture, Strike } from '../../test-support/soak.ts';
import { BundleStore } from '../bundles/bundle-store.ts';
import { NatsFabric } from '../nats-fabric.ts';
import { LeakyProxy } from './leaky-proxy.ts';
import { TestServer } from './nats-server.ts';
import { NodeProcess } from './node-process.ts';
import { Tamperer } from './tamperer.ts';

const FAULTS = ['before', 'during', 'between', 'stopped', 'shortCut', 'longCut', 'server'] as const;
type Fault = (typeof FAULTS)[number];

/** Workers that nothing happens to; the first is the source. */
const STEADY = ['source', 'near', 'slow'];
/** Workers that come and go, each behind a cable of its own. */
const FAR = ['far-0', 'far-1', 'far-2'];

const REQUESTER = 'coordinator/soak';

/** Six processes of workers, a server, and who asks in this process. */
export class NatsSoak implements SoakFixture {
  readonly #counts: Record<Fault, number> = {
    ...{ before: 0, during: 0, between: 0, stopped: 0, shortCut: 0, longCut: 0, server: 0 },
  };
  readonly #bundle: Bundle;
  readonly #random: Random;
  readonly #server: TestServer;
  readonly #requester: Coordinator;
  readonly #single: SingleMachine;
  readonly #children = new Map<string, NodeProcess>();
  readonly #cables = new Map<string, LeakyProxy>();
  readonly #whole = new Set(FAR);
  readonly #working = new Set<Promise<void>>();
  /** Who is killed when a part of a request comes from him. */
  readonly #between = new Set<string>();
  #tamperer: Tamperer | undefined;
  #struck = 0;
  #isClosed = false;

  private constructor(bundle: Bundle, random: Random, server: TestServer) {
    this.#bundle = bundle;
    this.#random = random.fork();
    this.#server = server;
    this.#requester = new Coordinator(REQUESTER, bundle);
    this.#single = new SingleMachine(bundle);
  }

  static async open(bundle: Bundle, random: Random): Promise<NatsSoak> {
    const server = await TestServer.start();
    const room = new NatsSoak(bundle, random, server);
    try {
      const access = { credentials: await server.credentials('coordinator') };
      await using store = await BundleStore.open(access);
      await store.publish(bundle, await readFile(join(bundle.dir, MANIFEST_FILE)));
      for (const name of FAR) room.#cables.set(name, await LeakyProxy.start(server.port));
      await Promise.all([...STEADY, ...FAR].map((name) => room.#start(name)));
      room.#tamperer = await Tamperer.start(server, random.fork(), (from) => room.#heard(from));
      await room.#requester.join(new NatsFabric(access));
    } catch (error) {
      await room[Symbol.asyncDispose]();
      throw error;
    }
    return room;
  }

  get running(): number {
    return this.#requester.running;
  }

  get faults(): Readonly<Record<string, number>> {
    const { repeated = 0, replayed = 0 } = this.#tamperer ?? {};
    return { ...this.#counts, repeated, replayed };
  }

  infer(input: FloatTensor, plan: RunPlan, deadline: number): Promise<InferenceResult> {
    const replan = async (lost: ReadonlySet<string>): Promise<RunPlan> =>
      randomPlan(this.#bundle, this.#there(lost), this.#random, plan.levels);
    return this.#requester.infer(input, plan, { deadline, replan });
  }

  planWith(victim: string | undefined, levels: readonly number[]): RunPlan {
    const there = this.#there(new Set(this.#requester.lost.keys()));
    return planThrough(this.#bundle, there, victim, this.#random, levels);
  }

  fault(): Strike | undefined {
    const [victim] = this.#random.shuffle([...this.#whole]);
    if (victim === undefined) return undefined;
    const fault = must(FAULTS[this.#struck++ % FAULTS.length], 'a fault');
    this.#whole.delete(victim);
    return {
      victim,
      hurried: fault === 'shortCut',
      strike: () => this.#track(this.#strike(fault, victim).then(() => void this.#whole.add(victim))),
    };
  }

  async difference({ logits, plan }: InferenceResult, input: FloatTensor): Promise<number> {
    return largestDifference(logits.data, await this.#single.run(plan.levels, input));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#working);
    await this.#requester.close();
    await this.#tamperer?.[Symbol.asyncDispose]();
    await Promise.all([...this.#children.values()].map((child) => child.kill()));
    for (const cable of this.#cables.values()) await cable[Symbol.asyncDispose]();
    await this.#server.close();
    await this.#single.close();
  }

  /** Ends when the victim is as before. */
  async #strike(fault: Fault, victim: string): Promise<void> {
    this.#counts[fault]++;
    const child = must(this.#children.get(victim), 'a process');
    const cable = must(this.#cables.get(victim), 'a cable');
    switch (fault) {
      case 'before':
        return this.#restart(victim);
      case 'during':
        await sleep(6 * this.#random.uniform());
        return this.#restart(victim);
      case 'between': {
        this.#between.add(victim);
        await sleep(300);
        this.#between.delete(victim);
        return this.#restart(victim);
      }
      case 'stopped':
        // Awake again when it counts as lost, it goes on with plans that were given up.
        child.signal('SIGSTOP');
        await sleep(2200);
        child.signal('SIGCONT');
        return;
      case 'shortCut':
        cable.cut();
        await sleep(500);
        cable.mend();
        return;
      case 'longCut':
        cable.cut();
        await sleep(4000);
        cable.mend();
        return;
      case 'server':
        await this.#server.kill();
        await sleep(500);
        await this.#server.run();
        return;
    }
  }

  #there(lost: ReadonlySet<string>): string[] {
    return [...STEADY, ...FAR].filter((name) => !lost.has(name));
  }

  /** The tamperer hears parts on their way. */
  #heard(from: string): void {
    if (this.#between.delete(from)) this.#children.get(from)?.signal('SIGKILL');
  }

  async #restart(name: string): Promise<void> {
    await this.#children.get(name)?.kill();
    if (!this.#isClosed) await this.#start(name);
  }

  async #start(name: string): Promise<void> {
    const credentials = await this.#server.credentials('worker');
    const port = this.#cables.get(name)?.port ?? this.#server.port;
    const access = { credentials, servers: [`tls://localhost:${port}`] };
    const speed = name === 'slow' ? 0.1 : FAR.includes(name) ? 0.5 : 1;
    // The server may be away, or not know yet that the one before is gone.
    for (let attempt = 0; ; attempt++) {
      const child = new NodeProcess('worker-process.ts');
      this.#children.set(name, child);
      try {
        await child.start({ access, options: { device: { name, speed } } });
        return;
      } catch (error) {
        await child.kill();
        if (attempt === 10) throw error;
        await sleep(500);
      }
    }
  }

  #track(work: Promise<void>): void {
    this.#working.add(work);
    void work.finally(() => this.#working.delete(work));
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
