// Frames while events come: how many a page drops at 60 events a second, beside the same page when nothing happens.
import type { Browser, CDPSession, Page } from 'playwright-core';
import { quantile } from '../lib/figures.ts';
import type { Tell } from '../lib/progress.ts';
import type { ResultTable } from '../lib/results.ts';
import type { Requests } from './requests.ts';

const PER_SECOND = 60;
/** Milliseconds of one frame. */
const FRAME = 1000 / 60;

interface Watched {
  /** Milliseconds between two frames. */
  readonly intervals: readonly number[];
  /** Tasks of more than 50 ms: how many, and the longest. */
  readonly long: readonly number[];
  /** Requests that were answered meanwhile; how many events the page got. */
  readonly sent: number;
  readonly got: number;
  /** Share of the time in which the page's thread worked. */
  readonly busy: number;
  /** Rows of requests in the page, at the end. */
  readonly rows: number;
}

const START = `
  bench = { intervals: [], long: [], got: 0, on: true };
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) bench.long.push(duration);
  }).observe({ type: 'longtask' });
  requestAnimationFrame(function frame(now) {
    if (bench.before !== undefined) bench.intervals.push(now - bench.before);
    bench.before = now;
    if (bench.on) requestAnimationFrame(frame);
  });
  undefined;`;
const END = `
  bench.on = false;
  ({ intervals: bench.intervals, long: bench.long, got: bench.got, rows: document.querySelectorAll('tbody tr').length })`;

/** Counts events as they come in, whatever the page does with them. */
const COUNT = `
  window.bench = { got: 0 };
  const Source = EventSource;
  window.EventSource = class extends Source {
    constructor(...given) {
      super(...given);
      this.addEventListener('request', () => { bench.got++; });
    }
  };`;

/** What is watched: a page, at so many events a second, and whether its list is scrolled all the time. */
const WATCHED: readonly { path: string; what: string; perSecond: number; scrolls?: boolean }[] = [
  { path: '/', what: 'Ward, nothing happens', perSecond: 0 },
  { path: '/', what: 'Ward', perSecond: PER_SECOND },
  { path: '/requests', what: 'Requests, 1,000 rows, nothing happens', perSecond: 0 },
  { path: '/requests', what: 'Requests, 1,000 rows', perSecond: PER_SECOND },
  { path: '/requests', what: 'Requests, 1,000 rows, scrolled', perSecond: PER_SECOND, scrolls: true },
  { path: '/policy', what: 'Policy', perSecond: PER_SECOND },
];

/** The table. @param seconds of each */
export async function framesTable(
  browser: Browser,
  url: string,
  requests: Requests,
  seconds: number,
  tell: Tell,
): Promise<ResultTable> {
  const rows: (string | number)[][] = [];
  for (const [at, { path, what, perSecond, scrolls }] of WATCHED.entries()) {
    const found = await watched(browser, url + path, requests, {
      seconds,
      perSecond,
      scrolls: scrolls ?? false,
    });
    rows.push(rowOf(what, found));
    tell(at + 1, WATCHED.length, what);
  }
  return {
    title: `Frames in ${seconds} s, ${PER_SECOND} events a second`,
    columns: [
      ...[
        'page',
        'requests',
        'events in the page',
        'frames',
        'dropped',
        'between frames p99, ms',
        'longest, ms',
      ],
      ...['tasks over 50 ms', 'thread of the page busy, %', 'rows in the page'],
    ],
    rows,
    note: 'Frames as the page itself sees them (`requestAnimationFrame`). Dropped: those that an interval between two frames had room for. Browser, gateway, workers and clients share the processors of this machine; where nothing happens, what is dropped is not the page. Each request is an event; others come beside them (devices, queue). Busy: processor time of the thread of the page.',
  };
}

function rowOf(what: string, { intervals, long, sent, got, busy, rows }: Watched): (string | number)[] {
  const dropped = intervals.reduce((sum, own) => sum + Math.max(0, Math.round(own / FRAME) - 1), 0);
  return [
    ...[what, sent, got, intervals.length, dropped],
    ...[quantile(intervals, 0.99).toFixed(1), Math.max(...intervals).toFixed(1)],
    long.length === 0 ? 0 : `${long.length}, the longest ${Math.max(...long).toFixed(0)} ms`,
    ...[(100 * busy).toFixed(1), rows],
  ];
}

async function watched(
  browser: Browser,
  address: string,
  requests: Requests,
  given: { readonly seconds: number; readonly perSecond: number; readonly scrolls: boolean },
): Promise<Watched> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: 'en-GB' });
  try {
    const page = await context.newPage();
    await page.addInitScript(COUNT);
    await page.goto(address);
    await page.waitForSelector('main h1');
    // What opening it takes is measured elsewhere.
    await page.waitForTimeout(1500);
    const session = await context.newCDPSession(page);
    // The time of its thread on a processor, not on the clock: others use this machine too.
    await session.send('Performance.enable', { timeDomain: 'threadTicks' });
    const stop = new AbortController();
    const sending = given.perSecond > 0 ? requests.sendAt(given.perSecond, stop.signal) : Promise.resolve(0);
    await page.evaluate(START);
    const [began, worked] = [performance.now(), await taskSeconds(session)];
    if (given.scrolls) await scroll(page, given.seconds);
    else await page.waitForTimeout(1000 * given.seconds);
    const busy = ((await taskSeconds(session)) - worked) / ((performance.now() - began) / 1000);
    stop.abort();
    const sent = await sending;
    // The last events are on their way.
    await page.waitForTimeout(200);
    const found = (await page.evaluate(END)) as Omit<Watched, 'sent' | 'busy'>;
    return { ...found, busy, sent };
  } finally {
    await context.close();
  }
}

/** Turns the wheel over the list, down and up again. */
async function scroll(page: Page, seconds: number): Promise<void> {
  const box = await page.locator('[role=region][aria-label^=Requests]').boundingBox();
  if (box) await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  const began = performance.now();
  for (let step = 0; performance.now() - began < 1000 * seconds; step++) {
    await page.mouse.wheel(0, step % 200 < 100 ? 320 : -320);
    await page.waitForTimeout(40);
  }
}

async function taskSeconds(session: CDPSession): Promise<number> {
  const { metrics } = (await session.send('Performance.getMetrics')) as {
    metrics: { name: string; value: number }[];
  };
  return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN;
}
