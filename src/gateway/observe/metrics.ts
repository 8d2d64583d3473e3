// Metrics for Prometheus. Labels are names of served models, variants and codes only: no sender can add a series.
import type { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Served } from '../service/served-model.ts';
import { StageMetrics } from './stage-metrics.ts';

/** Seconds: from a quarter of a millisecond to ten seconds. */
const BUCKETS = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Facts that are read when somebody asks for the metrics. */
export interface Gauges {
  /** Requests that wait and run, by model. */
  readonly queues: () => Iterable<{
    readonly model: string;
    readonly waiting: number;
    readonly running: number;
  }>;
  /** Devices that are lost, by model. */
  readonly lost: () => Iterable<{ readonly model: string; readonly devices: number }>;
}

/** Adds up what every request adds to, in a number: a counter would look up its labels each time. */
class Sum<L extends string> {
  readonly #counter: Counter<L>;
  readonly #labels: Partial<Record<L, string>>;
  #value: number | undefined;

  constructor(counter: Counter<L>, labels: Partial<Record<L, string>>) {
    this.#counter = counter;
    this.#labels = labels;
  }

  add(value: number): void {
    this.#value = (this.#value ?? 0) + value;
  }

  /** Has the counter know it. Nothing is counted that was never added. */
  flush(): void {
    if (this.#value === undefined) return;
    this.#counter.inc(this.#labels, this.#value);
    this.#value = undefined;
  }
}

/** The sums of one model. */
interface ModelSums {
  readonly answered: Sum<'model' | 'code'>;
  readonly samples: Sum<'model'>;
  readonly joules: Sum<'model'>;
}

/** The gateway's metrics. */
export class Metrics {
  readonly #registry: Registry;
  readonly #seconds: Histogram<'model' | 'variant' | 'part'>;
  readonly #requests: Counter<'model' | 'code'>;
  readonly #samples: Counter<'model'>;
  readonly #fallbacks: Counter<'model' | 'outcome'>;
  readonly #replans: Counter<'model'>;
  readonly #joules: Counter<'model'>;
  readonly #bytes: Readonly<Record<'in' | 'out', Sum<'direction'>>>;
  readonly #sums = new Map<string, ModelSums>();
  readonly #stages: StageMetrics;

  private constructor(client: typeof import('prom-client'), gauges: Gauges) {
    const registry = new client.Registry();
    const registers = [registry];
    this.#registry = registry;
    this.#stages = new StageMetrics(client, registry);
    client.collectDefaultMetrics({ register: registry });
    // Gauges with the name of a counter, which Prometheus' own check refuses.
    for (const kind of ['handles', 'requests', 'resources']) {
      registry.removeSingleMetric(`nodejs_active_${kind}_total`);
    }
    this.#seconds = new client.Histogram({
      name: 'bedside_request_seconds',
      help: 'Seconds of a request: in the queue, on the devices, and in all',
      labelNames: ['model', 'variant', 'part'] as const,
      buckets: BUCKETS,
      registers,
    });
    this.#requests = new client.Counter({
      name: 'bedside_requests_total',
      help: 'Requests by the code of their error; ok for those that were answered',
      labelNames: ['model', 'code'] as const,
      registers,
    });
    this.#samples = new client.Counter({
      name: 'bedside_samples_total',
      help: 'Samples that were answered',
      labelNames: ['model'] as const,
      registers,
    });
    this.#fallbacks = new client.Counter({
      name: 'bedside_fallbacks_total',
      help: 'Uncertain answers: taken from the unpruned network, or left as they were',
      labelNames: ['model', 'outcome'] as const,
      registers,
    });
    this.#replans = new client.Counter({
      name: 'bedside_replans_total',
      help: 'Plans that requests gave up because a device was lost',
      labelNames: ['model'] as const,
      registers,
    });
    this.#joules = new client.Counter({
      name: 'bedside_predicted_joules_total',
      help: 'Joules of all devices for the answered samples, as their plans predict them: not measured',
      labelNames: ['model'] as const,
      registers,
    });
    const bytes = new client.Counter({
      name: 'bedside_body_bytes_total',
      help: 'Bytes of the bodies of requests (in) and of answers (out)',
      labelNames: ['direction'] as const,
      registers,
    });
    const [received, sent] = [new Sum(bytes, { direction: 'in' }), new Sum(bytes, { direction: 'out' })];
    this.#bytes = { in: received, out: sent };
    const gauge = <L extends string>(
      name: string,
      help: string,
      labelNames: readonly L[],
      collect: (gauge: Gauge<L>) => void,
    ): void => {
      new client.Gauge({
        name,
        help,
        labelNames: [...labelNames],
        registers,
        collect() {
          collect(this as Gauge<L>);
        },
      });
    };
    gauge('bedside_queue_requests', 'Requests that wait or run', ['model', 'state'], (own) => {
      for (const { model, waiting, running } of gauges.queues()) {
        own.set({ model, state: 'waiting' }, waiting);
        own.set({ model, state: 'running' }, running);
      }
    });
    gauge('bedside_lost_devices', 'Devices that are lost now', ['model'], (own) => {
      for (const { model, devices } of gauges.lost()) own.set({ model }, devices);
    });
  }

  /** Loads the client library, and makes the metrics. */
  static async create(gauges: Gauges): Promise<Metrics> {
    const module = await import('prom-client');
    return new Metrics(module.default ?? module, gauges);
  }

  /** Counts an answered request. */
  answered(served: Served, seconds: number): void {
    const { answer, waited, computed, results, variant } = served;
    const { model } = answer;
    const labels = { model, variant: String(variant ?? 'none') };
    this.#seconds.observe({ ...labels, part: 'queue' }, waited);
    this.#seconds.observe({ ...labels, part: 'compute' }, computed);
    this.#seconds.observe({ ...labels, part: 'all' }, seconds);
    const sums = this.#of(model);
    sums.answered.add(1);
    sums.samples.add(results.length);
    for (const { fallback, replanned, plan } of results) {
      const { energy } = plan as { readonly energy?: number };
      if (energy !== undefined && energy >= 0) sums.joules.add(energy);
      if (fallback !== 'none') this.#fallbacks.inc({ model, outcome: fallback });
      if (replanned > 0) this.#replans.inc({ model }, replanned);
    }
    this.#stages.answered(served);
  }

  /** Counts a request that failed. @param model undefined where it named none that is served */
  failed(model: string | undefined, code: string): void {
    this.#requests.inc({ model: model ?? '', code });
  }

  /** Counts the bytes of bodies. */
  moved(direction: 'in' | 'out', bytes: number): void {
    this.#bytes[direction].add(bytes);
  }

  /** The content type, and the metrics as text. */
  async text(): Promise<{ readonly type: string; readonly body: string }> {
    for (const sums of [this.#bytes, ...this.#sums.values()]) {
      for (const sum of Object.values(sums)) sum.flush();
    }
    return { type: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  #of(model: string): ModelSums {
    let sums = this.#sums.get(model);
    if (!sums) {
      sums = {
        answered: new Sum(this.#requests, { model, code: 'ok' }),
        samples: new Sum(this.#samples, { model }),
        joules: new Sum(this.#joules, { model }),
      };
      this.#sums.set(model, sums);
    }
    return sums;
  }
}
