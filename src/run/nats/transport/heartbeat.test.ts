import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HEARTBEAT_MS } from '../../protocol/fabric.ts';
import { HeartbeatMonitor } from './heartbeat.ts';

describe('watching heartbeats', () => {
  let watch: HeartbeatMonitor;
  let lost: string[];
  let found: string[];
  let restored: string[][];
  let silent: Set<string>;
  let sessions: Map<string, string>;
  let standing: boolean;
  let mute: boolean;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] });
    [lost, found, restored, silent, sessions] = [[], [], [], new Set(), new Map()];
    [standing, mute] = [false, false];
    watch = new HeartbeatMonitor(
      {
        lost: (peer, why) => lost.push(`${peer}: ${why}`),
        found: (peer) => found.push(peer),
        restored: (peers) => restored.push([...peers].sort()),
      },
      () => 1500,
    );
    for (const peer of ['a', 'b']) {
      watch.add(peer);
      watch.heard(peer, { session: '0' });
    }
    setInterval(() => {
      for (const peer of ['a', 'b']) {
        if (!silent.has(peer)) watch.heard(peer, { session: sessions.get(peer) ?? '0' });
      }
      if (standing) return;
      watch.tick();
      if (!mute) watch.check();
    }, HEARTBEAT_MS);
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('a silent peer is lost within 2 s, once, and one that sends heartbeats never', () => {
    vi.advanceTimersByTime(10_000);
    expect(lost).toEqual([]);
    silent.add('a');
    vi.advanceTimersByTime(1000);
    expect(lost).toEqual([]);
    vi.advanceTimersByTime(1000);
    expect(lost).toEqual(['a: it sent no heartbeat']);
    vi.advanceTimersByTime(10_000);
    expect(lost).toHaveLength(1);
    // Back again, and gone again.
    expect(found).toEqual([]);
    silent.delete('a');
    vi.advanceTimersByTime(1000);
    expect(found).toEqual(['a']);
    silent.add('a');
    vi.advanceTimersByTime(2000);
    expect(lost).toHaveLength(2);
    expect(found).toEqual(['a']);
  });

  it('a silent server makes no peer lost; when it replies again, peers have time to come back', () => {
    for (const peer of ['a', 'b']) silent.add(peer);
    mute = true;
    const asked = performance.now();
    vi.advanceTimersByTime(5000);
    expect(lost).toEqual([]);
    mute = false;
    watch.check(asked);
    vi.advanceTimersByTime(1000);
    silent.delete('a');
    vi.advanceTimersByTime(1500);
    expect(lost).toEqual(['b: it sent no heartbeat']);
    vi.advanceTimersByTime(5000);
    expect(lost).toHaveLength(1);
  });

  it('one that says that it goes is lost at once', () => {
    watch.heard('b', { session: '0', bye: 'its battery is spent' });
    expect(lost).toEqual(['b: its battery is spent']);
  });

  it('without a server no peer is lost; once it is back, silent peers are lost and the others are restored', () => {
    for (const peer of ['a', 'b']) silent.add(peer);
    watch.unreachable();
    vi.advanceTimersByTime(60_000);
    expect(lost).toEqual([]);
    watch.reachable();
    vi.advanceTimersByTime(500);
    silent.delete('b');
    vi.advanceTimersByTime(500);
    expect([lost, restored]).toEqual([[], []]);
    vi.advanceTimersByTime(5000);
    expect(lost).toEqual(['a: it sent no heartbeat']);
    expect(restored).toEqual([['b']]);
  });

  it('a peer whose connection was interrupted only briefly is restored', () => {
    sessions.set('a', '1');
    vi.advanceTimersByTime(1000);
    expect([lost, restored]).toEqual([[], [['a']]]);
  });

  it('a first heartbeat that is not prompt counts as one after a loss where the peer has lost a connection', () => {
    for (const [peer, wait, reconnected] of [
      ['prompt', 20, true],
      ['steady', 400, false],
      ['back', 400, true],
    ] as const) {
      watch.add(peer);
      vi.advanceTimersByTime(wait);
      watch.heard(peer, { session: '1', reconnected });
    }
    expect(restored).toEqual([['back']]);
  });

  it('a late first heartbeat counts as one after a loss', () => {
    watch.add('c');
    watch.heard('c', { session: '5' });
    expect(restored).toEqual([]);
    watch.add('d');
    vi.advanceTimersByTime(1000);
    watch.heard('d', { session: '5' });
    expect(restored).toEqual([['d']]);
  });

  it('a process that stood still itself does not blame others', () => {
    silent.add('a');
    standing = true;
    vi.advanceTimersByTime(5000);
    standing = false;
    vi.advanceTimersByTime(HEARTBEAT_MS);
    silent.delete('a');
    vi.advanceTimersByTime(2000);
    expect(lost).toEqual([]);
  });
});
