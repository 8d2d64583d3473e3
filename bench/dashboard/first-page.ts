// The first page: what a browser that knows nothing yet has to fetch, and when the page can be used.
import type { Browser, Page, Response } from 'playwright-core';
import { quantile } from '../lib/figures.ts';
import type { Tell } from '../lib/progress.ts';
import type { ResultTable } from '../lib/results.ts';

/** Addresses, and what is in each page once it shows what it is for. */
const PAGES: readonly { readonly path: string; readonly shown: string }[] = [
  { path: '/', shown: 'main .figures' },
  { path: '/requests', shown: 'main table tbody tr' },
  { path: '/pruning', shown: 'main section svg' },
  { path: '/explain', shown: 'main section' },
  { path: '/policy', shown: 'main .figures' },
];
const GOAL_BYTES = 150_000;
const GOAL_MS = 1000;

/** Put into every page before its own code: notes when what it is for was painted, and tasks that hold up the page. */
const WATCH = (shown: string): string => `
  window.bench = { long: [] };
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) bench.long.push([startTime, duration]);
  }).observe({ type: 'longtask', buffered: true });
  bench.ready = new Promise((done) => {
    const look = () => {
      if (document.querySelector(${JSON.stringify(shown)}) === null) return requestAnimationFrame(look);
      // The frame after the next one has shown it; a task behind it only runs when nothing else holds up the page.
      requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(performance.now()))));
    };
    requestAnimationFrame(look);
  });`;

interface Load {
  /** Bytes of bodies as they were sent, by address. */
  readonly files: ReadonlyMap<string, number>;
  readonly data: number;
  /** Milliseconds since the navigation began: first content painted, usable; the sum of tasks beyond 50 ms. */
  readonly painted: number;
  readonly usable: number;
  readonly held: number;
}

/** Loads every page so many times, each in a browser context that has nothing. */
export async function firstPageTables(
  browser: Browser,
  url: string,
  loads: number,
  tell: Tell,
): Promise<ResultTable[]> {
  const rows: (string | number)[][] = [];
  let first: Load | undefined;
  for (const [at, { path, shown }] of PAGES.entries()) {
    const all: Load[] = [];
    for (let i = 0; i < loads; i++) {
      all.push(await load(browser, url + path, shown));
      tell(at * loads + i + 1, PAGES.length * loads, 'loads');
    }
    first ??= all[0];
    const ms = (pick: (own: Load) => number, share: number): string =>
      quantile(all.map(pick), share).toFixed(0);
    rows.push([
      path,
      ...[ms(({ painted }) => painted, 0.5), ms(({ usable }) => usable, 0.5), ms(({ usable }) => usable, 1)],
      ms(({ held }) => held, 0.5),
    ]);
  }
  return [...(first ? [bytesTable(first)] : []), loadTable(rows, loads)];
}

function bytesTable({ files, data }: Load): ResultTable {
  const sum = [...files.values()].reduce((a, b) => a + b, 0);
  return {
    title: 'Bytes of the first page',
    columns: ['file', 'bytes as sent'],
    rows: [...files, ['all files', sum], ['the figures that it shows at first', data]],
    note: `Compressed with gzip by the gateway, as a browser without a cache fetches them. Goal: all files at most ${GOAL_BYTES}. ${sum <= GOAL_BYTES ? 'Met.' : 'MISSED.'}`,
  };
}

function loadTable(rows: readonly (readonly (string | number)[])[], loads: number): ResultTable {
  const worst = Math.max(...rows.map((row) => Number(row[3])));
  return {
    title: 'Until a page can be used, ms',
    columns: ['page', 'first paint, median', 'usable, median', 'usable, worst', 'held up, median'],
    rows,
    note: `${loads} loads of each, nothing cached. Usable: what the page is for was painted with figures of the gateway, and a task behind that ran. Held up: the sum of what tasks take beyond 50 ms. Goal: ${GOAL_MS} ms. ${worst <= GOAL_MS ? 'Met by the slowest load of all.' : `The slowest load took ${worst} ms.`}`,
  };
}

async function load(browser: Browser, address: string, shown: string): Promise<Load> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: 'en-GB' });
  try {
    const page = await context.newPage();
    const answers: Response[] = [];
    page.on('response', (answer) => answers.push(answer));
    await page.addInitScript(WATCH(shown));
    await page.goto(address, { waitUntil: 'commit' });
    const usable = (await page.evaluate('bench.ready')) as number;
    return { usable, ...(await loaded(page, answers)) };
  } finally {
    await context.close();
  }
}

async function loaded(page: Page, answers: readonly Response[]): Promise<Omit<Load, 'usable'>> {
  const { long, painted } = (await page.evaluate(`({
    long: bench.long,
    painted: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Number.NaN,
  })`)) as { long: [number, number][]; painted: number };
  const files = new Map<string, number>();
  let data = 0;
  for (const answer of answers) {
    const { pathname } = new URL(answer.url());
    // The stream of events does not end.
    if (pathname === '/api/events') continue;
    const { responseBodySize } = await answer.request().sizes();
    if (pathname.startsWith('/api/')) data += responseBodySize;
    else files.set(pathname.replace(/-[\w-]{8}\./, '.'), responseBodySize);
  }
  const held = long.reduce((sum, [, duration]) => sum + Math.max(0, duration - 50), 0);
  return { files, data, painted, held };
}
