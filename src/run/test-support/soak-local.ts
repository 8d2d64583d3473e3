// Faults on the embedded fabric: workers killed before, during and between stages, or hanging; links cut; slow workers;
// messages that come twice, late, of a plan that was given up, or of a request that has ended.

import type { Bundle } from '../../bundle/index.ts';
import type { FloatTensor } from '../../engine/index.ts';
import { must, type Random } from '../../util/index.ts';
import { Coordinator, type InferenceResult } from '../client/coordinator.ts';
import { Device } from '../device/device.ts';
import { Worker } from '../device/worker.ts';
import { LocalWorkers } from '../local/local-workers.ts';
import type { Endpoint, Fabric, NodeHandlers } from '../protocol/fabric.ts';
import type { NodeMessage, TensorMessage } from '../protocol/messages.ts';
import type { RunPlan } from '../protocol/plan.ts';
import { planThrough, randomPlan, SingleMachine } from './bundles.ts';
import type { SoakFixture, Strike } from './soak.ts';

const FAULTS = ['before', 'during', 'between', 'cut', 'hang'] as const;
type Fault = (typeof FAULTS)[number];

/** Nodes of this process; the first is the source. */
const NEAR = ['source', 'near', 'slow'];
const FAR = 3;

/** Three workers in this process, whose messages can be tampered with, and three that can be killed. */
export class LocalSoak implements SoakFixture {
  readonly faults = {
    before: 0,
    during: 0,
    between: 0,
    hang: 0,
    cut: 0,
    repeated: 0,
    replayed: 0,
    dropped: 0,
  };
  readonly #bundle: Bundle;
  readonly #random: Random;
  readonly #workers: LocalWorkers;
  readonly #near: Worker[] = [];
  readonly #requester: Coordinator;
  readonly #cut = new Set<string>();
  /** Workers of other processes that nothing has happened to yet. */
  readonly #far = new Set<string>();
  readonly #starting = new Set<Promise<void>>();
  /** Who is killed when a part of a request comes from him. */
  readonly #between = new Set<string>();
  readonly #old: { readonly to: string; readonly part: TensorMessage; readonly end: Endpoint }[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #single: SingleMachine;
  #named = 0;
  #struck = 0;

  private constructor(bundle: Bundle, random: Random, workers: LocalWorkers) {
    this.#bundle = bundle;
    this.#random = random.fork();
    this.#workers = workers;
    this.#requester = new Coordinator('requester', bundle);
    this.#single = new SingleMachine(bundle);
  }

  static async open(bundle: Bundle, random: Random): Promise<LocalSoak> {
    const room = new LocalSoak(bundle, random, await LocalWorkers.start([], [bundle.dir]));
    const fabric: Fabric = { join: (name, handlers) => room.#join(name, handlers) };
    for (const name of NEAR) {
      const worker = new Worker(new Device({ name, speed: name === 'slow' ? 0.1 : 1 }, [bundle]));
      await worker.join(fabric);
      room.#near.push(worker);
    }
    await room.#requester.join(fabric);
    await Promise.all(Array.from({ length: FAR }, () => room.#start()));
    return room;
  }

  get running(): number {
    return this.#requester.running;
  }

  infer(input: FloatTensor, plan: RunPlan, deadline: number): Promise<InferenceResult> {
    const replan = async (lost: ReadonlySet<string>): Promise<RunPlan> =>
      randomPlan(
        this.#bundle,
        [...NEAR, ...this.#far].filter((name) => !lost.has(name)),
        this.#random,
        plan.levels,
      );
    return this.#requester.infer(input, plan, { deadline, replan });
  }

  planWith(victim: string | undefined, levels: readonly number[]): RunPlan {
    return planThrough(this.#bundle, [...NEAR, ...this.#far], victim, this.#random, levels);
  }

  fault(): Strike | undefined {
    const [victim] = this.#random.shuffle([...this.#far]);
    if (victim === undefined) return undefined;
    const fault = must(FAULTS[this.#struck++ % FAULTS.length], 'a fault');
    if (fault !== 'cut') this.#far.delete(victim);
    return {
      victim,
      hurried: fault === 'cut',
      strike: () => this.#strike(fault, victim),
    };
  }

  #strike(fault: Fault, victim: string): void {
    this.faults[fault]++;
    switch (fault) {
      case 'before':
        this.#kill(victim);
        break;
      case 'during':
        this.#later(() => this.#kill(victim), 6 * this.#random.uniform());
        break;
      case 'between':
        this.#between.add(victim);
        this.#later(() => this.#kill(victim), 300);
        break;
      case 'hang':
        this.#workers.kill(victim, 'SIGSTOP');
        // Awake again when it counts as lost, it goes on with plans that were given up.
        this.#later(() => this.#workers.kill(victim, 'SIGCONT'), 2200);
        this.#later(() => this.#kill(victim), 2700);
        break;
      case 'cut':
        for (const near of NEAR) this.#cut.add(pair(near, victim));
        this.#later(() => this.#cut.clear(), 200);
        break;
    }
  }

  async difference({ logits, plan }: InferenceResult, input: FloatTensor): Promise<number> {
    const same = await this.#single.run(plan.levels, input);
    if (same.length !== logits.data.length) return Number.POSITIVE_INFINITY;
    return same.reduce((most, value, i) => Math.max(most, Math.abs(value - (logits.data[i] ?? 0))), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    await Promise.all(this.#starting);
    await this.#requester.close();
    for (const worker of this.#near) await worker.close();
    await this.#workers.close();
    await this.#single.close();
  }

  async #join(name: string, handlers: NodeHandlers): Promise<Endpoint> {
    const end = await this.#workers.fabric.join(name, {
      ...handlers,
      message: (from, message) => {
        if (message.kind === 'part' && this.#between.delete(from)) this.#kill(from);
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
      this.faults.dropped++;
      return;
    }
    end.send(to, message);
    if (message.kind !== 'part') return;
    if (this.#random.integer(8) === 0) {
      this.faults.repeated++;
      this.#later(() => end.send(to, message), 100 * this.#random.uniform() ** 4);
    }
    // Long after: of requests that have ended, and of plans that were given up.
    this.#old.push({ to, part: message, end });
    if (this.#old.length > 50 && this.#random.integer(4) === 0) {
      const old = must(this.#old[this.#random.integer(20)], 'an old message');
      this.faults.replayed++;
      old.end.send(old.to, old.part);
    }
    if (this.#old.length > 100) this.#old.splice(0, 20);
  }

  #kill(name: string): void {
    if (!this.#workers.kill(name)) return;
    this.#track(this.#start());
  }

  async #start(): Promise<void> {
    const name = `far-${this.#named++}`;
    await this.#workers.add({ device: { name, speed: 0.5 } });
    this.#far.add(name);
  }

  #track(work: Promise<void>): void {
    this.#starting.add(work);
    void work.finally(() => this.#starting.delete(work));
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
