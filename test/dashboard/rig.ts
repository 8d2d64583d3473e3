// One gateway with real workers and one browser, for all tests of the dashboard.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { type Bundle, openBundle } from '../../src/bundle/index.ts';
import { type Gateway, type ServeOptions, serve } from '../../src/gateway/index.ts';
import { canonicalGraph, sizeOf } from '../../src/onnx/internal.ts';
import { type Fleet, fleetOf } from '../../src/plan/index.ts';
import { writtenBundle } from '../../src/run/test-support/bundles.ts';
import { mixedNet } from '../../src/run/test-support/mixed-net.ts';
import { Random } from '../../src/util/internal.ts';
import { madeOnce, ROOT } from '../support/made-once.ts';
import { chromiumPath, SCREENSHOTS } from './chromium.ts';

/** What page tests work with. */
export interface Rig {
  readonly url: string;
  readonly bundle: Bundle;
  /** Folder of built pages. */
  readonly pages: string;
  /** Folder of this rig's own files, such as the audit log in `log`. */
  readonly folder: string;
  readonly browser: Browser;
  /** A page of its own context, at a path. What goes wrong in it is in `faults`. */
  open(path: string, options?: PageOptions): Promise<OpenPage>;
  /** Sends inference requests, a few at a time. */
  ask(count: number, parameters?: object): Promise<number[]>;
  /** Kills a worker's process. @param device of the fleet, but not the one with the input */
  kill(device: string): void;
  /** Another gateway with the same bundle; the caller closes it. */
  serve(options: ServeOptions): Promise<Gateway>;
  close(): Promise<void>;
}

/** How a page is opened. */
export interface PageOptions {
  readonly dark?: boolean;
  readonly width?: number;
  readonly height?: number;
  /** Address of another gateway. */
  readonly url?: string;
}

/** An open page. */
export interface OpenPage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors of the console, uncaught errors, and what the content security policy refused. */
  readonly faults: string[];
}

const WIDTH = 1280;
const HEIGHT = 860;

/** A source that computes slowly, so that plans use the others. Figures follow the size of the network. */
export function wardFleet({ manifest }: Bundle): Fleet {
  // The small bundle counts none.
  const macs = Math.max(1e5, manifest.variants[0]?.macs ?? 0);
  const device = (name: string, times: number, trusted: boolean) => ({
    ...{ name, macsPerSecond: times * macs, memory: 50_000_000, joulesPerMac: 1e-9, trusted },
  });
  return fleetOf({
    format: 'bedside-fleet',
    version: 1,
    name: 'ward',
    source: 'gateway',
    devices: [
      device('gateway', 2, true),
      device('tablet', 4000, true),
      device('monitor', 1000, true),
      device('laptop', 200, false),
    ],
    network: { channel: 'independent', bytesPerSecond: 2e7, latency: 0.001 },
    request: { deadline: 5 },
  });
}

/** The pages as the sources are now: those of the last build, where no source is newer. */
export async function builtForTests(): Promise<string> {
  const built = join(ROOT, 'dist', 'web');
  if (newest('dist/web/index.html') > Math.max(...['web', 'src', 'package-lock.json'].map(newest)))
    return built;
  return await madeOnce('pages', async (folder) => {
    const { build } = await import('vite');
    const out = { outDir: folder, emptyOutDir: true };
    await build({ configFile: join(ROOT, 'web/vite.config.ts'), build: out, logLevel: 'warn' });
  });
}

/** When the newest file of a path was written, in ms; 0 where there is none. */
function newest(path: string): number {
  const full = join(ROOT, path);
  if (path.endsWith('node_modules') || !existsSync(full)) return 0;
  const found = statSync(full);
  if (!found.isDirectory()) return found.mtimeMs;
  return Math.max(0, ...readdirSync(full).map((name) => newest(join(path, name))));
}

/** Starts all of it. */
export async function startRig(): Promise<Rig> {
  const folder = await mkdtemp(join(tmpdir(), 'bedside-dashboard-'));
  const { chromium } = await import('playwright-core');
  const [pages, browser, bundle] = await Promise.all([
    builtForTests(),
    chromium.launch({ executablePath: chromiumPath() ?? '', args: ['--no-sandbox', '--disable-gpu'] }),
    SCREENSHOTS?.bundle === undefined
      ? writtenBundle(join(folder, 'bundle'), canonicalGraph(mixedNet()))
      : openBundle(SCREENSHOTS.bundle),
  ]);
  await mkdir(join(folder, 'log'));
  const before = childrenOf(process.pid);
  const fleet = wardFleet(bundle);
  const common = { port: 0, measure: false, dashboard: pages } satisfies ServeOptions;
  const gateway = await serve([bundle], { ...common, fleet, audit: join(folder, 'log'), solver: 'greedy' });
  const own = childrenOf(process.pid).filter((pid) => !before.includes(pid) && isWorker(pid));
  const names = fleet.devices.map(({ name }) => name).filter((_, at) => at !== fleet.source);
  const contexts: BrowserContext[] = [];
  return {
    ...{ url: gateway.url, bundle, pages, folder, browser },
    open: async (path, options = {}) => {
      const opened = await openPage(browser, `${options.url ?? gateway.url}${path}`, options);
      contexts.push(opened.context);
      return opened;
    },
    ask: (count, parameters = {}) => askFor(gateway.url, bundle, count, parameters),
    kill: (device) => {
      const pid = own[names.indexOf(device)];
      if (pid === undefined) throw new Error(`no process of ${device}`);
      process.kill(pid, 'SIGKILL');
    },
    serve: (options) => serve([bundle], { ...common, workers: 1, ...options }),
    close: async () => {
      for (const context of contexts) await context.close();
      await browser.close();
      await gateway.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A page of a context of its own. */
export async function openPage(browser: Browser, address: string, options: PageOptions): Promise<OpenPage> {
  const { dark = false, width = WIDTH, height = HEIGHT } = options;
  const context = await browser.newContext({
    colorScheme: dark ? 'dark' : 'light',
    viewport: { width, height },
    locale: 'en-GB',
    ignoreHTTPSErrors: true,
    ...(SCREENSHOTS ? { deviceScaleFactor: 1.5 } : {}),
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const faults: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  // Said by the console as well, but not by every version.
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
    violations: { id: string; impact: string; nodes: { html: string; failureSummary?: string }[] }[];
  };
  return found.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 200)} ${nodes[0]?.failureSummary ?? ''}`);
}

/** Makes a picture for the documents, where they were asked for. Fonts and figures are those of this machine. */
export async function picture(page: Page, name: string): Promise<void> {
  if (SCREENSHOTS) await page.screenshot({ path: join(ROOT, 'docs', 'images', `dashboard-${name}.png`) });
}

async function askFor(url: string, bundle: Bundle, count: number, parameters: object): Promise<number[]> {
  const { name: model, model: described } = bundle.manifest;
  const random = new Random(count);
  const { name, shape } = described.input;
  const statuses: number[] = [];
  let left = count;
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      const data = Array.from({ length: sizeOf(shape) }, () => random.normal());
      const inputs = [{ name, shape: [1, ...shape], datatype: 'FP32', data }];
      const response = await fetch(`${url}/v2/models/${model}/infer`, {
        method: 'POST',
        body: JSON.stringify({ inputs, parameters }),
      });
      await response.arrayBuffer();
      statuses.push(response.status);
    }
  };
  await Promise.all(Array.from({ length: 8 }, one));
  return statuses;
}

/** Processes that a process has started, the oldest first. */
function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

function isWorker(pid: number): boolean {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('child.');
}
