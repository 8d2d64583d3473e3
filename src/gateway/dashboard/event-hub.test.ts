// The ring of events: what pages that come back get, and that a page that does not read costs nothing.
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { EventHub } from './event-hub.ts';

/** A connection that takes so many writes until it is read. */
class Connection extends EventEmitter {
  readonly written: string[] = [];
  room: number;

  constructor(room = Number.POSITIVE_INFINITY) {
    super();
    this.room = room;
  }

  write(text: string): boolean {
    this.written.push(text);
    return --this.room > 0;
  }

  end(): void {
    this.emit('close');
  }

  get events(): { type: string; id: string; data: unknown }[] {
    return this.written.flatMap((text) => {
      const [, type = '', id = '', data = ''] = /^event: (\w+)\nid: (\S+)\ndata: (.*)\n\n$/.exec(text) ?? [];
      return type === '' ? [] : [{ type, id, data: JSON.parse(data) as unknown }];
    });
  }
}

function watch(hub: EventHub, connection: Connection, last?: string): Connection {
  hub.watch(connection as unknown as ServerResponse, last);
  return connection;
}

describe('a page', () => {
  afterEach(() => void vi.useRealTimers());

  it('that comes reads everything anew, then gets what happens', () => {
    const hub = new EventHub();
    hub.publish('early', 1);
    const { events } = watch(hub, new Connection());
    expect(events.map(({ type }) => type)).toEqual(['reset']);
    const page = watch(hub, new Connection());
    hub.publish('request', { seq: 1 });
    expect(page.events.at(-1)).toMatchObject({ type: 'request', data: { seq: 1 } });
  });

  it('that comes back gets what it missed, once and in order', () => {
    const hub = new EventHub();
    const page = watch(hub, new Connection());
    for (let i = 0; i < 5; i++) hub.publish('n', i);
    const last = page.events[2]?.id;
    page.end();
    hub.publish('n', 5);
    const again = watch(hub, new Connection(), last);
    hub.publish('n', 6);
    expect(again.events.map(({ data }) => data)).toEqual([2, 3, 4, 5, 6]);
  });

  it.each([
    ['another process', 'abcdef123456-3'],
    ['no number', 'nonsense'],
    ['a number to come', undefined],
  ])('with the number of %s reads everything anew', (_what, last) => {
    const hub = new EventHub();
    const page = watch(hub, new Connection());
    hub.publish('n', 1);
    const run = page.events.at(-1)?.id.split('-')[0];
    const again = watch(hub, new Connection(), last ?? `${run}-999`);
    expect(again.events.map(({ type }) => type)).toEqual(['reset']);
  });

  it('that comes back after a long time reads everything anew: nothing was kept for nobody', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const hub = new EventHub();
    const page = watch(hub, new Connection());
    hub.publish('n', 1);
    const last = page.events.at(-1)?.id;
    page.end();
    vi.advanceTimersByTime(59_000);
    hub.publish('n', 2);
    const soon = watch(hub, new Connection(), last);
    expect(soon.events.map(({ data }) => data)).toEqual([2]);
    soon.end();
    vi.advanceTimersByTime(61_000);
    for (let i = 3; i < 9; i++) hub.publish('n', i);
    const late = watch(hub, new Connection(), soon.events.at(-1)?.id);
    hub.publish('n', 9);
    expect(late.events.map(({ type, data }) => (type === 'n' ? data : type))).toEqual(['reset', 9]);
  });

  it('that does not read is written to no further, and skips what is forgotten meanwhile', () => {
    const hub = new EventHub();
    const slow = watch(hub, new Connection(3));
    const before = slow.written.length;
    for (let i = 0; i < 10_000; i++) hub.publish('n', i);
    expect(slow.written.length).toBeLessThanOrEqual(before + 3);
    slow.room = Number.POSITIVE_INFINITY;
    slow.emit('drain');
    expect(slow.events.at(-1)?.type).toBe('reset');
    hub.publish('n', 'next');
    expect(slow.events.at(-1)?.data).toBe('next');
  });

  it('that reads slowly misses nothing that is still known', () => {
    const hub = new EventHub();
    const slow = watch(hub, new Connection(4));
    for (let i = 0; i < 100; i++) hub.publish('n', i);
    slow.room = Number.POSITIVE_INFINITY;
    slow.emit('drain');
    expect(slow.events.filter(({ type }) => type === 'n').map(({ data }) => data)).toEqual(
      Array.from({ length: 100 }, (_, i) => i),
    );
  });
});

it('says when the first page comes and the last one goes, and takes only so many', () => {
  const said: boolean[] = [];
  const hub = new EventHub((isWatched) => said.push(isWatched));
  const pages = Array.from({ length: 64 }, () => watch(hub, new Connection()));
  expect(() => watch(hub, new Connection())).toThrow('too many pages');
  for (const page of pages) page.end();
  expect([said, hub.pages]).toEqual([[true, false], 0]);
  hub.close();
  expect(() => watch(hub, new Connection())).toThrow('stopping');
});
