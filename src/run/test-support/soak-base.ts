// The part of a soak fixture that both fabrics share: plans, requests and the choice of the next fault.
import type { Bundle } from '../../bundle/index.ts';
import { largestDifference } from '../../channels/test-support/net.ts';
import type { FloatTensor } from '../../engine/index.ts';
import { must } from '../../util/index.ts';
import type { Random } from '../../util/internal.ts';
import { Coordinator } from '../client/coordinator.ts';
import type { InferenceResult } from '../client/inference.ts';
import type { RunPlan } from '../protocol/plan.ts';
import { planThrough, randomPlan, SingleMachine } from './bundles.ts';
import type { SoakFixture, Strike } from './soak.ts';

/** What a fabric's fixture is made of. */
export interface SoakSetup<Fault extends string> {
  readonly bundle: Bundle;
  readonly random: Random;
  /** Name of the coordinator. */
  readonly coordinator: string;
  /** Workers that no fault strikes; the first is the source. */
  readonly steady: readonly string[];
  /** All faults; they strike in this order, again and again. */
  readonly faults: readonly Fault[];
  /** The faults after which a request gets little time. */
  readonly hurried: readonly Fault[];
}

/** Workers, a coordinator, and faults that strike one worker each. */
export abstract class SoakBase<Fault extends string> implements SoakFixture {
  protected readonly random: Random;
  protected readonly coordinator: Coordinator;
  /** Workers that a fault may strike now. */
  protected readonly targets = new Set<string>();
  /** Workers that are killed as soon as a tensor comes from them. */
  protected readonly killedBetween = new Set<string>();
  readonly #setup: SoakSetup<Fault>;
  readonly #single: SingleMachine;
  readonly #counts: Record<Fault, number>;
  readonly #working = new Set<Promise<void>>();
  #struck = 0;

  protected constructor(setup: SoakSetup<Fault>) {
    this.#setup = setup;
    this.random = setup.random.fork();
    this.coordinator = new Coordinator(setup.coordinator, setup.bundle);
    this.#single = new SingleMachine(setup.bundle);
    this.#counts = Object.fromEntries(setup.faults.map((fault) => [fault, 0])) as Record<Fault, number>;
  }

  get running(): number {
    return this.coordinator.running;
  }

  get faults(): Readonly<Record<string, number>> {
    return { ...this.#counts, ...this.messageFaults() };
  }

  infer(input: FloatTensor, plan: RunPlan, deadline: number): Promise<InferenceResult> {
    const replan = async (lost: ReadonlySet<string>): Promise<RunPlan> =>
      randomPlan(this.#setup.bundle, this.#without(lost), this.random, plan.levels);
    return this.coordinator.infer(input, plan, { deadline, replan });
  }

  planWith(victim: string | undefined, levels: readonly number[]): RunPlan {
    const devices = this.#without(new Set(this.coordinator.lost.keys()));
    return planThrough(this.#setup.bundle, { devices, needed: victim }, this.random, levels);
  }

  fault(): Strike | undefined {
    const [victim] = this.random.shuffle([...this.targets]);
    if (victim === undefined) return undefined;
    const { faults, hurried } = this.#setup;
    const fault = must(faults[this.#struck++ % faults.length], 'a fault');
    this.targets.delete(victim);
    return {
      victim,
      hurried: hurried.includes(fault),
      strike: () => {
        this.#counts[fault]++;
        this.track(this.strike(fault, victim));
      },
    };
  }

  async difference({ logits, plan }: InferenceResult, input: FloatTensor): Promise<number> {
    return largestDifference(logits.data, await this.#single.run(plan.levels, input));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#working.size > 0) await Promise.all(this.#working);
    await this.coordinator.close();
    await this.stop();
    await this.#single.close();
  }

  /** Strikes a worker; the result settles when the fault is over. */
  protected abstract strike(fault: Fault, victim: string): Promise<void>;

  /** Workers besides the steady ones that a plan may name. */
  protected abstract others(): Iterable<string>;

  /** How many messages were repeated, replayed or dropped. */
  protected abstract messageFaults(): Readonly<Record<string, number>>;

  /** Ends all workers, and the server if there is one. */
  protected abstract stop(): Promise<void>;

  /** Work that must end before the fixture does. */
  protected track(work: Promise<void>): void {
    this.#working.add(work);
    const ended = (): boolean => this.#working.delete(work);
    // A failure is told by the end of the fixture, unless the work has ended before.
    work.then(ended, () => undefined);
  }

  #without(lost: ReadonlySet<string>): string[] {
    return [...this.#setup.steady, ...this.others()].filter((name) => !lost.has(name));
  }
}
