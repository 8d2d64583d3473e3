// Requests under faults: workers killed before, during and between stages, or hanging; links cut; slow workers; messages
// that come twice, late, of a plan that was given up, or of a request that has ended. Checks how every request ends.
import type { Bundle } from '../../bundle/index.ts';
import { randomLevels } from '../../bundle/test-support/contents.ts';
import { BedsideError, must, type Random } from '../../util/index.ts';
import { Device } from '../device.ts';
import type { Endpoint, Fabric, NodeHandlers } from '../fabric.ts';
import type { FloatTensor } from '../join.ts';
import { LocalWorkers } from '../local/local-workers.ts';
import type { Message, Part } from '../messages.ts';
import type { RunPlan } from '../plan.ts';
import { type Answer, Requester } from '../requester.ts';
import { Worker } from '../worker.ts';
import { randomPlan, randomSample, SingleMachine } from './bundles.ts';

/** What is done, and how often. */
export interface SoakOptions {
  /** In a folder, as other processes open it. */
  readonly bundle: Bundle;
  readonly requests: number;
  readonly random: Random;
  /** Requests at a time. */
  readonly together: number;
  /** One in so many requests brings a kill, a cut link, or a worker that hangs, in turn. */
  readonly faultEvery: number;
  /** Seconds; one request in ten has a tenth of it, and so has the one that meets a cut link. */
  readonly deadline: number;
  readonly onProgress?: (done: number) => void;
}

/** How requests ended. */
export interface SoakResult {
  readonly answered: number;
  /** Of these, planned anew on the way. */
  readonly moved: number;
  /** Coded errors, by code. */
  readonly failed: Readonly<Record<string, number>>;
  /** What must not be: other logits, errors without a code. */
  readonly wrong: readonly string[];
  /** Requests that ended twice, or have not ended. */
  readonly twice: number;
  readonly unended: number;
  readonly maxDifference: number;
  /** Seconds that the latest end came after its deadline. */
  readonly late: number;
  readonly faults: Readonly<Record<Fault | 'repeated' | 'replayed' | 'dropped', number>>;
}

const FAULTS = ['before', 'during', 'between', 'cut', 'hang'] as const;
type Fault = (typeof FAULTS)[number];

/** Nodes of this process; the first is the source. */
const NEAR = ['source', 'near', 'slow'];
const FAR = 3;

/** Runs requests under faults. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { bundle, random, requests, together } = options;
  await using room = await Room.open(bundle, random);
  const levels = Array.from({ length: 4 }, () => randomLevels(bundle.manifest, random));
  const ended = new Map<number, number>();
  const failed: Record<string, number> = {};
  const wrong: string[] = [];
  let [answered, moved, maxDifference, late, next] = [0, 0, 0, 0, 0];

  async function one(index: number): Promise<void> {
    const { victim, fault } = index % options.faultEvery === 0 ? room.fault() : {};
    const hurried = fault === 'cut' || random.integer(10) === 0;
    const deadline = options.deadline / (hurried ? 10 : 1);
    const input = randomSample(bundle, random);
    const plan = room.planWith(victim, must(levels[random.integer(levels.length)], 'levels'));
    if (fault) room.strike(fault, must(victim, 'a victim'), `requester-${room.asked}`);
    const start = performance.now();
    const end = (): void => {
      ended.set(index, (ended.get(index) ?? 0) + 1);
      late = Math.max(late, (performance.now() - start) / 1000 - deadline);
    };
    let answer: Answer;
    try {
      answer = await room.infer(input, plan, deadline).finally(end);
    } catch (error) {
      if (BedsideError.is(error) && error.code !== 'E_INTERNAL') {
        failed[error.code] = (failed[error.code] ?? 0) + 1;
      } else wrong.push(String(error));
      return;
    }
    answered++;
    if (answer.replanned > 0) moved++;
    const difference = await room.difference(answer, input);
    maxDifference = Math.max(maxDifference, difference);
    if (!(difference < 1e-4)) wrong.push(`request ${index} is ${difference} off`);
  }

  const lane = async (): Promise<void> => {
    while (next < requests) {
      await one(next++);
      options.onProgress?.(ended.size);
    }
  };
  await Promise.all(Array.from({ length: together }, lane));
  return {
    ...{ answered, moved, failed, wrong, maxDifference, late },
    twice: [...ended.values()].filter((times) => times > 1).length,
    unended: requests - ended.size + room.running,
    faults: room.faults,
  };
}

/** Three workers in this process, whose messages can be tampered with, and three that can be killed. */
class Room implements AsyncDisposable {
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
  readonly #requester: Requester;
  readonly #cut = new Set<string>();
  /** Workers of other processes that nothing has happened to yet. */
  readonly #far = new Set<string>();
  readonly #starting = new Set<Promise<void>>();
  /** By request: who is killed when a part of it comes from him. */
  readonly #between = new Map<string, string>();
  readonly #old: { readonly to: string; readonly part: Part; readonly end: Endpoint }[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #single: SingleMachine;
  #named = 0;
  #struck = 0;
  asked = 0;

  private constructor(bundle: Bundle, random: Random, workers: LocalWorkers) {
    this.#bundle = bundle;
    this.#random = random.fork();
    this.#workers = workers;
    this.#requester = new Requester('requester', bundle);
    this.#single = new SingleMachine(bundle);
  }

  static async open(bundle: Bundle, random: Random): Promise<Room> {
    const room = new Room(bundle, random, await LocalWorkers.start([], [bundle.dir]));
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

  infer(input: FloatTensor, plan: RunPlan, deadline: number): Promise<Answer> {
    this.asked++;
    const replan = async (lost: ReadonlySet<string>): Promise<RunPlan> =>
      randomPlan(
        this.#bundle,
        [...NEAR, ...this.#far].filter((name) => !lost.has(name)),
        this.#random,
        plan.levels,
      );
    return this.#requester.infer(input, plan, { deadline, replan });
  }

  /** A random plan, which needs the victim where there is one. */
  planWith(victim: string | undefined, levels: readonly number[]): RunPlan {
    const devices = [...NEAR, ...this.#far, ...(victim && !this.#far.has(victim) ? [victim] : [])];
    for (;;) {
      const plan = randomPlan(this.#bundle, devices, this.#random, levels);
      const needed = plan.stages.some(({ segments }) => segments.some(({ device }) => device === victim));
      if (victim === undefined || needed) return plan;
    }
  }

  /** What happens next, and to whom; nothing while there is nobody to whom it may happen. */
  fault(): { readonly victim?: string; readonly fault?: Fault } {
    const [victim] = this.#random.shuffle([...this.#far]);
    if (victim === undefined) return {};
    const fault = must(FAULTS[this.#struck++ % FAULTS.length], 'a fault');
    if (fault !== 'cut') this.#far.delete(victim);
    return { victim, fault };
  }

  strike(fault: Fault, victim: string, request: string): void {
    this.faults[fault]++;
    switch (fault) {
      case 'before':
        this.#kill(victim);
        break;
      case 'during':
        this.#later(() => this.#kill(victim), 6 * this.#random.uniform());
        break;
      case 'between':
        this.#between.set(request, victim);
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

  async difference({ logits, plan }: Answer, input: FloatTensor): Promise<number> {
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
        if (message.kind === 'part' && this.#between.get(message.request) === from) this.#kill(from);
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

  #send(end: Endpoint, to: string, message: Message): void {
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
