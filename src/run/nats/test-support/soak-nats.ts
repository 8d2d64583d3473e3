// Faults over NATS: workers are killed before, during and between stages and start again, or hang for a while; cables
// are cut; the server is killed; tensors come twice, or long after.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bundle } from '../../../bundle/index.ts';
import { MANIFEST_FILE } from '../../../bundle/internal.ts';
import { must } from '../../../util/index.ts';
import type { Random } from '../../../util/internal.ts';
import { SoakBase } from '../../test-support/soak-base.ts';
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

/** Six worker processes, a server, and a coordinator in this process. */
export class NatsSoak extends SoakBase<Fault> {
  readonly #server: TestServer;
  readonly #children = new Map<string, NodeProcess>();
  readonly #cables = new Map<string, LeakyProxy>();
  #tamperer: Tamperer | undefined;

  private constructor(bundle: Bundle, random: Random, server: TestServer) {
    super({
      ...{ bundle, random, coordinator: 'coordinator/soak' },
      ...{ steady: STEADY, faults: FAULTS, hurried: ['shortCut'] },
    });
    this.#server = server;
    for (const name of FAR) this.targets.add(name);
  }

  static async open(bundle: Bundle, random: Random): Promise<NatsSoak> {
    const server = await TestServer.start();
    const soak = new NatsSoak(bundle, random, server);
    try {
      const access = { credentials: await server.credentials('coordinator') };
      await using store = await BundleStore.open(access);
      await store.publish(bundle, await readFile(join(bundle.dir, MANIFEST_FILE)));
      for (const name of FAR) soak.#cables.set(name, await LeakyProxy.start(server.port));
      await Promise.all([...STEADY, ...FAR].map((name) => soak.#start(name)));
      soak.#tamperer = await Tamperer.start(server, random.fork(), (from) => soak.#onTensor(from));
      await soak.coordinator.join(new NatsFabric(access));
    } catch (error) {
      await soak[Symbol.asyncDispose]();
      throw error;
    }
    return soak;
  }

  protected async strike(fault: Fault, victim: string): Promise<void> {
    await this.#strike(fault, victim);
    this.targets.add(victim);
  }

  protected others(): Iterable<string> {
    return FAR;
  }

  protected messageFaults(): Readonly<Record<string, number>> {
    const { repeated = 0, replayed = 0 } = this.#tamperer ?? {};
    return { repeated, replayed };
  }

  protected async stop(): Promise<void> {
    await this.#tamperer?.[Symbol.asyncDispose]();
    await Promise.all([...this.#children.values()].map((child) => child.kill()));
    for (const cable of this.#cables.values()) await cable[Symbol.asyncDispose]();
    await this.#server.close();
  }

  /** Ends when the victim is as it was before. */
  async #strike(fault: Fault, victim: string): Promise<void> {
    const child = must(this.#children.get(victim), 'a process');
    const cable = must(this.#cables.get(victim), 'a cable');
    switch (fault) {
      case 'before':
        return this.#restart(victim);
      case 'during':
        await sleep(6 * this.random.uniform());
        return this.#restart(victim);
      case 'between': {
        this.killedBetween.add(victim);
        await sleep(300);
        this.killedBetween.delete(victim);
        return this.#restart(victim);
      }
      case 'stopped':
        // It wakes up after it was declared lost, and goes on with plans that were given up.
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

  /** The tamperer hears tensors on their way. */
  #onTensor(from: string): void {
    if (this.killedBetween.delete(from)) this.#children.get(from)?.signal('SIGKILL');
  }

  async #restart(name: string): Promise<void> {
    await this.#children.get(name)?.kill();
    await this.#start(name);
  }

  async #start(name: string): Promise<void> {
    const credentials = await this.#server.credentials('worker');
    const port = this.#cables.get(name)?.port ?? this.#server.port;
    const access = { credentials, servers: [`tls://localhost:${port}`] };
    const speed = name === 'slow' ? 0.1 : FAR.includes(name) ? 0.5 : 1;
    // The server may be away, or not know yet that the one before is gone.
    for (let attempt = 0; ; attempt++) {
      const child = await NodeProcess.spawn('worker-process.ts');
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
}
