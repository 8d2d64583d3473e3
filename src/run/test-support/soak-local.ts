// Faults on local sockets: workers are killed before, during and between stages, or hang; links are cut; workers are
// slow. Messages come twice, late, for a plan that was given up, or for a request that has ended.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bundle } from '../../bundle/index.ts';
import { must } from '../../util/index.ts';
import type { Random } from '../../util/internal.ts';
import { Device } from '../device/device.ts';
import { Worker } from '../device/worker.ts';
import { LocalWorkers } from '../local/local-workers.ts';
import type { Endpoint, Fabric, NodeHandlers } from '../protocol/fabric.ts';
import type { NodeMessage, TensorMessage } from '../protocol/messages.ts';
import { SoakBase } from './soak-base.ts';

const FAULTS = ['before', 'during', 'between', 'cut', 'hang'] as const;
type Fault = (typeof FAULTS)[number];

/** Workers in this process; the first is the source. */
const NEAR = ['source', 'near', 'slow'];

/** Workers in processes of their own. */
const FAR = 3;

/** Three workers in this process, whose messages are tampered with, and three that can be killed. */
export class LocalSoak extends SoakBase<Fault> {
  readonly #workers: LocalWorkers;
  readonly #near: Worker[] = [];
  /** Pairs of nodes that do not reach each other now. */
  readonly #cut = new Set<string>();
  readonly #old: { readonly to: string; readonly message: TensorMessage; readonly end: Endpoint }[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #messages = { repeated: 0, replayed: 0, dropped: 0 };
  #named = 0;
  #isClosing = false;

  private constructor(bundle: Bundle, random: Random, workers: LocalWorkers) {
    super({
      ...{ bundle, random, coordinator: 'requester', steady: NEAR, faults: FAULTS, hurried: ['cut'] },
    });
    this.#workers = workers;
  }

  static async open(bundle: Bundle, random: Random): Promise<LocalSoak> {
    const soak = new LocalSoak(bundle, random, await LocalWorkers.start([], [bundle.dir]));
    const fabric: Fabric = { join: (name, handlers) => soak.#join(name, handlers) };
    for (const name of NEAR) {
      const worker = new Worker(new Device({ name, speed: name === 'slow' ? 0.1 : 1 }, [bundle]));
      await worker.join(fabric);
      soak.#near.push(worker);
    }
    await soak.coordinator.join(fabric);
    await Promise.all(Array.from({ length: FAR }, () => soak.#start()));
    return soak;
  }

  protected async strike(fault: Fault, victim: string): Promise<void> {
    switch (fault) {
      case 'before':
        return this.#kill(victim);
      case 'during':
        await sleep(6 * this.random.uniform());
        return this.#kill(victim);
      case 'between':
        this.killedBetween.add(victim);
        await sleep(300);
        return this.#kill(victim);
      case 'hang':
        this.#workers.kill(victim, 'SIGSTOP');
        // It wakes up after it was declared lost, and goes on with plans that were given up.
        await sleep(2200);
        this.#workers.kill(victim, 'SIGCONT');
        await sleep(500);
        return this.#kill(victim);
      case 'cut':
        this.targets.add(victim);
        for (const near of NEAR) this.#cut.add(pair(near, victim));
        await sleep(200);
        this.#cut.clear();
    }
  }

  protected others(): Iterable<string> {
    return this.targets;
  }

  protected messageFaults(): Readonly<Record<string, number>> {
    return this.#messages;
  }

  protected async stop(): Promise<void> {
    this.#isClosing = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const worker of this.#near) await worker.close();
    await this.#workers.close();
  }

  async #join(name: string, handlers: NodeHandlers): Promise<Endpoint> {
    const end = await this.#workers.fabric.join(name, {
      ...handlers,
      message: (from, message) => {
        if (message.kind === 'part' && this.killedBetween.delete(from)) this.track(this.#kill(from));
        handlers.message(from, message);
      },
    });
    return {
      name,
      send: (to, message) => this.#send(end, to, message),
      watch: (peer) => end.watch(peer),
      leave: (why) => end.leave(why),
      close: () => end.close(),
    };
  }

  #send(end: Endpoint, to: string, message: NodeMessage): void {
    if (this.#cut.has(pair(end.name, to))) {
      this.#messages.dropped++;
      return;
    }
    end.send(to, message);
    if (message.kind !== 'part') return;
    if (this.random.integer(8) === 0) {
      this.#messages.repeated++;
      this.#later(() => end.send(to, message), 100 * this.random.uniform() ** 4);
    }
    // Long after: for requests that have ended, and for plans that were given up.
    this.#old.push({ to, message, end });
    if (this.#old.length > 50 && this.random.integer(4) === 0) {
      const old = must(this.#old[this.random.integer(20)], 'an old message');
      this.#messages.replayed++;
      old.end.send(old.to, old.message);
    }
    if (this.#old.length > 100) this.#old.splice(0, 20);
  }

  /** Kills a worker; another one starts in its place. */
  async #kill(name: string): Promise<void> {
    if (this.#isClosing || !this.#workers.kill(name)) return;
    await this.#start();
  }

  async #start(): Promise<void> {
    const name = `far-${this.#named++}`;
    await this.#workers.add({ device: { name, speed: 0.5 } });
    this.targets.add(name);
  }

  #later(work: () => void, ms: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, ms);
    this.#timers.add(timer);
  }
}

function pair(a: string, b: string): string {
  return [a, b].sort().join(' ');
}
