// Metrics of what devices do for requests: how long each stage waited and computed, and what travelled between devices.
import type { Counter, Histogram, Registry } from 'prom-client';
import type { Served } from '../service/served-model.ts';

/** Seconds: a stage takes from a tenth of a millisecond to seconds. Fewer than for requests, as there are many stages. */
const BUCKETS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];

/** Histograms of stages and the bytes between devices. */
export class StageMetrics {
  readonly #seconds: Histogram<'model' | 'variant' | 'stage' | 'part'>;
  readonly #bytes: Counter<'model'>;

  constructor(client: typeof import('prom-client'), registry: Registry) {
    const registers = [registry];
    this.#seconds = new client.Histogram({
      name: 'bedside_stage_seconds',
      help: 'Seconds of a stage on a device: until its turn came (wait), and computing',
      labelNames: ['model', 'variant', 'stage', 'part'] as const,
      buckets: BUCKETS,
      registers,
    });
    this.#bytes = new client.Counter({
      name: 'bedside_device_bytes_total',
      help: 'Bytes of tensors that devices sent to other devices, and of results to the gateway, as they travelled',
      labelNames: ['model'] as const,
      registers,
    });
  }

  /** Counts what devices did for an answered request. Plans name the stages, so no sender can add a series. */
  answered({ answer: { model }, results, variants }: Served): void {
    let bytes = 0;
    for (const [at, { timeline = [], fallback }] of results.entries()) {
      for (const part of timeline) bytes += part.bytes;
      // Its timeline is of two variants.
      if (fallback === 'taken') continue;
      const variant = String(variants[at] ?? 'none');
      for (const { stage, last, arrived, started, ended } of timeline) {
        const labels = { model, variant, stage: stage === last ? String(stage) : `${stage}-${last}` };
        this.#seconds.observe({ ...labels, part: 'wait' }, started - arrived);
        this.#seconds.observe({ ...labels, part: 'compute' }, ended - started);
      }
    }
    this.#bytes.inc({ model }, bytes);
  }
}
