// A coordinator in a process of its own, as tests start it on another host: runs requests and reports how each ended.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bundle, openBundle } from '../../../bundle/index.ts';
import { MANIFEST_FILE } from '../../../bundle/internal.ts';
import { BedsideError, must } from '../../../util/index.ts';
import { Random } from '../../../util/internal.ts';
import { Coordinator } from '../../client/coordinator.ts';
import type { RunPlan } from '../../protocol/plan.ts';
import { localPlanOf, randomPlan, randomSample, SingleMachine } from '../../test-support/bundles.ts';
import { BundleStore } from '../bundles/bundle-store.ts';
import { makeBuckets } from '../cluster/buckets.ts';
import { NatsFabric } from '../nats-fabric.ts';
import { FleetDirectory } from '../presence/fleet-directory.ts';
import { connectNats } from '../transport/connect.ts';
import { type ClientOrder, type ClientTask, type EndedRequest, serve } from './orders.ts';

let asker: ClientProcess | undefined;
serve(async (told: ClientTask | ClientOrder) => {
  if (!('kind' in told)) {
    asker = await ClientProcess.start(told);
    return null;
  }
  return must(asker, 'an asker').answer(told);
});

class ClientProcess {
  readonly #bundle: Bundle;
  readonly #coordinator: Coordinator;
  readonly #directory: FleetDirectory;
  readonly #single: SingleMachine;
  readonly #random = new Random(11);
  readonly #lost = new Map<string, number>();
  readonly #running = new Set<Promise<void>>();
  readonly #ended: EndedRequest[] = [];
  #asked = 0;
  #losses = 0;
  #timer: NodeJS.Timeout | undefined;

  private constructor(bundle: Bundle, coordinator: Coordinator, directory: FleetDirectory) {
    this.#bundle = bundle;
    this.#coordinator = coordinator;
    this.#directory = directory;
    this.#single = new SingleMachine(bundle);
    setInterval(() => this.#look(), 10);
  }

  static async start({ access, operator, bundle: dir }: ClientTask): Promise<ClientProcess> {
    const maker = await connectNats(operator, { door: 'store' });
    await makeBuckets(maker);
    await maker.close();
    const bundle = await openBundle(dir);
    await using store = await BundleStore.open(access);
    await store.publish(bundle, await readFile(join(dir, MANIFEST_FILE)));
    const coordinator = new Coordinator('coordinator/asker', bundle);
    await coordinator.join(new NatsFabric(access));
    return new ClientProcess(
      bundle,
      coordinator,
      await FleetDirectory.open(await connectNats(access), access.credentials),
    );
  }

  async answer(order: ClientOrder): Promise<unknown> {
    switch (order.kind) {
      case 'random': {
        for (let at = 0; at < order.requests; at++)
          await this.#ask(randomPlan(this.#bundle, order.devices, this.#random), 20);
        return this.#ended.splice(0);
      }
      case 'stream': {
        const { source, far, every, deadline } = order;
        const near = this.#planOn(source, source);
        const both = this.#planOn(source, far);
        this.#timer = setInterval(() => {
          const done = this.#ask(this.#coordinator.lost.has(far) ? near : both, deadline, near);
          this.#running.add(done);
          void done.finally(() => this.#running.delete(done));
        }, every);
        return null;
      }
      case 'stop': {
        clearInterval(this.#timer);
        await Promise.all(this.#running);
        return { ended: this.#ended.splice(0), asked: this.#asked, running: this.#coordinator.running };
      }
      case 'ended':
        return this.#ended;
      case 'losses':
        return this.#losses;
      case 'lost':
        return [...this.#lost];
      case 'fleet':
        return this.#directory.read();
    }
  }

  /** An unpruned plan with the third stage on another device. */
  #planOn(source: string, other: string): RunPlan {
    const levels = this.#bundle.manifest.groups.map(() => 0);
    const { stages } = localPlanOf(this.#bundle, source, levels);
    const moved = must(stages[2], 'a stage');
    const segments = moved.segments.map((segment) => ({ ...segment, device: other }));
    return { levels, stages: stages.with(2, { ...moved, segments }) };
  }

  async #ask(plan: RunPlan, deadline: number, otherwise?: RunPlan): Promise<void> {
    const input = randomSample(this.#bundle, this.#random);
    const asked = Date.now();
    const start = performance.now();
    const tell = (ms: number, how: string, used = plan): void => {
      const devices = new Set(used.stages.flatMap(({ segments }) => segments.map(({ device }) => device)));
      this.#ended.push({ asked, ms, how, far: devices.size > 1 });
    };
    this.#asked++;
    const replan = otherwise && (async () => otherwise);
    try {
      const { logits, plan: used } = await this.#coordinator.infer(input, plan, { deadline, replan });
      const ms = performance.now() - start;
      const right = await this.#single.run(used.levels, input);
      const near = right.every((value, i) => Math.abs(value - (logits.data[i] ?? Number.NaN)) < 1e-4);
      tell(ms, near && logits.data.length === right.length ? 'right' : 'wrong', used);
    } catch (error) {
      tell(performance.now() - start, BedsideError.is(error) ? error.code : String(error));
    }
  }

  #look(): void {
    const { lost } = this.#coordinator;
    for (const name of this.#lost.keys()) if (!lost.has(name)) this.#lost.delete(name);
    for (const name of lost.keys()) {
      if (this.#lost.has(name)) continue;
      this.#lost.set(name, Date.now());
      this.#losses++;
    }
  }
}
