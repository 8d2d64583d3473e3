// One gateway with real workers, and a browser, for tests of the pages Pruning, Explain and Policy.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bundle } from '../../src/bundle/index.ts';
import { type Gateway, type ServeOptions, serve } from '../../src/gateway/index.ts';
import { canonicalGraph, sizeOf } from '../../src/onnx/internal.ts';
import { fleetOf } from '../../src/plan/index.ts';
import { measuredBundle } from '../../src/run/test-support/bundles.ts';
import { mixedNet } from '../../src/run/test-support/mixed-net.ts';
import { chromiumPath } from './chromium.ts';
import { builtForTests, type OpenPage, openPage, type PageOptions } from './rig.ts';

/** What page tests work with. */
export interface PagesRig {
  readonly bundle: Bundle;
  readonly folder: string;
  /** A page of its own context. What goes wrong in it is in `faults`: errors, and what the policy of content refused. */
  open(path: string, options?: PageOptions): Promise<OpenPage>;
  /** Sends inference requests, one after another. */
  ask(count: number, parameters: object): Promise<void>;
  /** Another gateway with the same bundle; the caller closes it. */
  serve(options: ServeOptions): Promise<Gateway>;
  close(): Promise<void>;
}

/** Starts all of it. */
export async function startPages(): Promise<PagesRig> {
  const folder = await mkdtemp(join(tmpdir(), 'bedside-pages-'));
  const { chromium } = await import('playwright-core');
  const pages = await builtForTests();
  const bundle = await measuredBundle(join(folder, 'bundle'), canonicalGraph(mixedNet()));
  const common = { port: 0, measure: false, dashboard: pages } satisfies ServeOptions;
  const gateway = await serve([bundle], { ...common, fleet: fleetFor(bundle), solver: 'greedy' });
  const browser = await chromium.launch({
    executablePath: chromiumPath() ?? '',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  return {
    ...{ bundle, folder },
    open: (path, { url = gateway.url, ...options } = {}) => openPage(browser, `${url}${path}`, options),
    ask: async (count, parameters) => {
      const { name, shape } = bundle.manifest.model.input;
      const data = new Array(sizeOf(shape)).fill(0.5);
      const inputs = [{ name, shape: [1, ...shape], datatype: 'FP32', data }];
      const url = `${gateway.url}/v2/models/${bundle.manifest.name}/infer`;
      for (let i = 0; i < count; i++) {
        await (
          await fetch(url, { method: 'POST', body: JSON.stringify({ inputs, parameters }) })
        ).arrayBuffer();
      }
    },
    serve: (options) => serve([bundle], { ...common, ...options }),
    close: async () => {
      await browser.close();
      await gateway.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A source that computes slowly, so that plans use the others. */
function fleetFor({ manifest }: Bundle) {
  const macs = manifest.variants[0]?.macs ?? 1e5;
  const device = (name: string, times: number) => ({
    ...{ name, macsPerSecond: times * macs, memory: 50_000_000, joulesPerMac: 1e-9, trusted: true },
  });
  return fleetOf({
    ...{ format: 'bedside-fleet', version: 1, name: 'ward', source: 'gateway' },
    devices: [device('gateway', 2), device('tablet', 4000), device('monitor', 1000)],
    network: { channel: 'independent', bytesPerSecond: 2e7, latency: 0.001 },
    request: { deadline: 5 },
  });
}
