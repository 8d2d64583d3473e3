// One gateway with real workers, and a browser, for tests of the pages Pruning, Explain and Policy.
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { Bundle } from '../../src/bundle/index.ts';
import { type Gateway, type ServeOptions, serve } from '../../src/gateway/index.ts';
import { canonicalGraph, sizeOf } from '../../src/onnx/internal.ts';
import { fleetOf } from '../../src/plan/index.ts';
import { measuredBundle } from '../../src/run/test-support/bundles.ts';
import { mixedNet } from '../../src/run/test-support/mixed-net.ts';

/** The browser that `CHROMIUM` names, or that of the system; undefined where there is none. */
export const BROWSER = [process.env.CHROMIUM ?? '', '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => path !== '' && existsSync(path),
);

/** What page tests work with. */
export interface PagesRig {
  readonly bundle: Bundle;
  readonly folder: string;
  /** A page of its own context. What goes wrong in it is in `faults`: errors, and what the policy of content refused. */
  open(
    path: string,
    options?: {
      readonly dark?: boolean;
      readonly width?: number;
      readonly height?: number;
      readonly url?: string;
    },
  ): Promise<{ readonly page: Page; readonly context: BrowserContext; readonly faults: string[] }>;
  /** Sends inference requests, one after another. */
  ask(count: number, parameters: object): Promise<void>;
  /** Another gateway with the same bundle; the caller closes it. */
  serve(options: ServeOptions): Promise<Gateway>;
  close(): Promise<void>;
}

/** Starts all of it. */
export async function startPages(): Promise<PagesRig> {
  const folder = await mkdtemp(join(tmpdir(), 'bedside-pages-'));
  const pages = join(folder, 'pages');
  const [{ build }, { chromium }] = await Promise.all([import('vite'), import('playwright-core')]);
  const configFile = fileURLToPath(new URL('../../web/vite.config.ts', import.meta.url));
  await build({ configFile, build: { outDir: pages, emptyOutDir: true }, logLevel: 'error' });
  const bundle = await measuredBundle(join(folder, 'bundle'), canonicalGraph(mixedNet()));
  const common = { port: 0, measure: false, dashboard: pages } satisfies ServeOptions;
  const gateway = await serve([bundle], { ...common, fleet: fleetFor(bundle), solver: 'greedy' });
  const browser = await chromium.launch({
    executablePath: BROWSER ?? '',
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

async function openPage(
  browser: Browser,
  address: string,
  { dark = false, width = 1280, height = 860 }: { dark?: boolean; width?: number; height?: number },
) {
  const colorScheme = dark ? 'dark' : 'light';
  const context = await browser.newContext({ colorScheme, viewport: { width, height }, locale: 'en-GB' });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const faults: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  await page.addInitScript(`addEventListener('securitypolicyviolation', (event) =>
    console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI))`);
  await page.goto(address);
  return { page, context, faults };
}

/** Serious and critical findings of axe, as text. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  await page.evaluate(`${axe}; undefined`);
  const found = (await page.evaluate('axe.run(document, { resultTypes: ["violations"] })')) as {
    violations: { id: string; impact: string; nodes: { html: string }[] }[];
  };
  return found.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 200)}`);
}
