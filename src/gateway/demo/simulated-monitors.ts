// Monitors of a simulated ward, which send samples to the gateway over HTTP as real ones would.
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../util/internal.ts';

/** Samples to send: rows as the network reads them. */
export interface MonitorSamples {
  readonly size: number;
  readonly samples: Float32Array;
}

/** How requests of the monitors ended so far. */
export interface MonitorCounts {
  answered: number;
  /** By code. */
  readonly failed: Map<string, number>;
}

interface ModelInput {
  readonly name: string;
  /** With a free batch in front: -1. */
  readonly shape: readonly number[];
}

/** Seconds between two samples of one monitor, in the mean. */
const EVERY = 1;
const PATIENCE_MS = 30_000;

/** Starts so many monitors; they send until the signal is aborted. */
export async function startMonitors(
  { url, model }: { readonly url: string; readonly model: string },
  samples: MonitorSamples,
  monitors: number,
  signal: AbortSignal,
): Promise<{ readonly counts: MonitorCounts; readonly ended: Promise<unknown> }> {
  const base = `${url}/v2/models/${encodeURIComponent(model)}`;
  const { inputs } = (await (await fetch(base)).json()) as { inputs: ModelInput[] };
  const counts: MonitorCounts = { answered: 0, failed: new Map() };
  const lanes = Array.from({ length: monitors }, (_, at) =>
    send(`${base}/infer`, inputs, samples, { random: new Random(at + 1), counts, signal }),
  );
  return { counts, ended: Promise.all(lanes) };
}

async function send(
  url: string,
  inputs: readonly ModelInput[],
  { size, samples }: MonitorSamples,
  run: { readonly random: Random; readonly counts: MonitorCounts; readonly signal: AbortSignal },
): Promise<void> {
  const { random, counts, signal } = run;
  const stride = samples.length / size;
  const failed = (code: string): void => void counts.failed.set(code, (counts.failed.get(code) ?? 0) + 1);
  while (!signal.aborted) {
    const at = random.integer(size);
    const body = bodyOf(inputs, samples.subarray(at * stride, (at + 1) * stride));
    try {
      const late = AbortSignal.timeout(PATIENCE_MS);
      const response = await fetch(url, { ...body, method: 'POST', signal: AbortSignal.any([signal, late]) });
      const bytes = Buffer.from(await response.arrayBuffer());
      if (response.ok) counts.answered++;
      else failed(String((JSON.parse(bytes.toString()) as { code?: string }).code));
    } catch {
      if (!signal.aborted) failed('no answer');
    }
    await sleep(1000 * EVERY * 2 * random.uniform(), undefined, { signal }).catch(() => {});
  }
}

/** A request with the bytes of one sample behind its JSON; several inputs lie one after another in the row. */
function bodyOf(inputs: readonly ModelInput[], row: Float32Array) {
  const listed = inputs.map(({ name, shape }) => {
    const own = [1, ...shape.slice(1)];
    const bytes = 4 * own.reduce((product, length) => product * length, 1);
    return { name, shape: own, datatype: 'FP32', parameters: { binary_data_size: bytes } };
  });
  const json = Buffer.from(JSON.stringify({ inputs: listed, parameters: { binary_data_output: true } }));
  const values = Buffer.from(row.buffer, row.byteOffset, row.byteLength);
  return {
    body: Buffer.concat([json, values]) as unknown as string,
    headers: { 'inference-header-content-length': String(json.length) },
  };
}
