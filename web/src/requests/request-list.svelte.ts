// The last requests: read once, and kept by events.
import type { RequestRow, RequestRows } from '../../../src/gateway/dashboard/wire-requests.ts';
import { get, type Problem, problemOf } from '../lib/api.ts';
import { live } from '../lib/live.svelte.ts';

/** What rows are shown. */
export interface RowFilter {
  readonly model: string;
  readonly outcome: 'all' | 'ok' | 'errors' | 'changed';
}

/**
 * Milliseconds between two changes of the list. Each one lays out and paints all rows in view, so not every frame has one;
 * and each new row takes time too, so a few come at a time: a change must fit into a frame.
 */
const CHANGE_MS = 100;

export class RequestList {
  /** The newest first. */
  rows = $state.raw<readonly RequestRow[]>([]);
  most = $state(1000);
  isRead = $state(false);
  problem = $state.raw<Problem | undefined>();
  /** While it is paused, new rows wait here. */
  isPaused = $state(false);
  waiting = $state(0);
  #late: RequestRow[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #changed = 0;

  /** Follows the events. @returns ends it */
  follow(): () => void {
    const ends = [
      live.on('request', (row) => {
        this.#late.push(row);
        // The first row after a while comes at once; many that follow are one change.
        const left = this.#changed + CHANGE_MS - performance.now();
        this.#timer ??= setTimeout(() => this.#take(), Math.max(0, left));
      }),
      live.reading(() => void this.#read()),
    ];
    return () => {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      for (const end of ends) end();
    };
  }

  pause(isPaused: boolean): void {
    this.isPaused = isPaused;
    if (!isPaused) this.#take();
  }

  #take(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#changed = performance.now();
    if (this.#late.length > this.most) this.#late = this.#late.slice(-this.most);
    this.waiting = this.#late.length;
    if (this.isPaused) return;
    const newest = this.rows[0]?.seq ?? 0;
    const fresh = this.#late.filter(({ seq }) => seq > newest).reverse();
    this.#late = [];
    this.waiting = 0;
    if (fresh.length > 0) this.rows = [...fresh, ...this.rows].slice(0, this.most);
  }

  async #read(): Promise<void> {
    try {
      const { rows, most } = await get<RequestRows>('/api/requests');
      this.rows = rows;
      this.most = most;
      this.#late = this.#late.filter(({ seq }) => seq > (rows[0]?.seq ?? 0));
      this.problem = undefined;
      this.isRead = true;
    } catch (error) {
      this.problem = problemOf(error);
    }
  }
}

/** Whether a row is shown. */
export function fits(row: RequestRow, { model, outcome }: RowFilter): boolean {
  if (model !== '' && row.model !== model) return false;
  if (outcome === 'ok') return row.code === 'ok';
  if (outcome === 'errors') return row.code !== 'ok';
  if (outcome === 'changed') return row.replanned > 0 || row.fallback !== 'none';
  return true;
}

/** Figures of the rows of the last minute: a second counts those that ended in it. */
export function lastMinute(rows: readonly RequestRow[], now: number) {
  const recent = rows.filter(({ at }) => now - at < 60_000);
  const answered = recent.filter(({ code }) => code === 'ok');
  const times = answered.map(({ seconds }) => seconds).sort((a, b) => a - b);
  const at = (share: number): number | undefined =>
    times[Math.min(times.length - 1, Math.floor(share * times.length))];
  const perSecond = Array.from({ length: 60 }, () => 0);
  for (const row of recent) {
    const second = 59 - Math.floor((now - row.at) / 1000);
    if (second >= 0 && second < 60) perSecond[second] = (perSecond[second] ?? 0) + 1;
  }
  return {
    count: recent.length,
    failed: recent.length - answered.length,
    median: at(0.5),
    high: at(0.99),
    perSecond,
  };
}
