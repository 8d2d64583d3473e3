// Secure sessions without a server: the test delivers every message itself, or loses, repeats, changes or redirects it.
import { describe, expect, it } from 'vitest';
import { until } from '../../test-support/fabric-suite.ts';
import type { Channel } from '../transport/subjects.ts';
import { certify } from './certificate.ts';
import type { SecureSession } from './session.ts';
import { SecureSessions } from './sessions.ts';
import { newSigningKey, signerOf } from './signing.ts';
import type { SigningIdentity } from './statement.ts';

const cluster = signerOf(newSigningKey());

function identify(role: 'worker' | 'coordinator', name?: string, by = cluster): SigningIdentity {
  const signer = signerOf(newSigningKey());
  const certificate = certify(by, { role, name, trusted: role === 'worker', key: signer.publicKey });
  return { certificate, signer, cluster: cluster.publicKey };
}

interface Carried {
  readonly what: 'hello' | Channel;
  readonly from: string;
  readonly to: string;
  readonly bytes: Buffer;
}

/** Nodes, and all messages between them. */
class Wires {
  readonly nodes = new Map<string, SecureSessions>();
  readonly all: Carried[] = [];
  readonly got: string[] = [];
  readonly notes: string[] = [];
  #lives = 0;
  /** Messages that are lost. */
  loses: (one: Carried) => boolean = () => false;

  join(name: string, own: SigningIdentity, where = name): SecureSessions {
    const sessions = new SecureSessions(
      { name, own, instance: `life ${++this.#lives}` },
      {
        send: (what, to, bytes) => this.carry({ what, from: name, to, bytes: Buffer.from(bytes) }),
        onNote: (text) => this.notes.push(text),
      },
    );
    this.nodes.set(where, sessions);
    return sessions;
  }

  carry(one: Carried): void {
    this.all.push(one);
    if (!this.loses(one)) this.deliver(one);
  }

  deliver({ what, from, to, bytes }: Carried): void {
    const node = this.nodes.get(to);
    if (what === 'hello') {
      node?.receiveHello(from, bytes);
      return;
    }
    const payload = node?.open(from, what, bytes);
    if (payload && payload.length > 0) this.got.push(`${from} to ${to}: ${payload.toString()}`);
  }

  say(from: string, to: string, text: string, channel: Channel = 'tensor'): void {
    this.nodes.get(from)?.withSession(to, text.length, (session: SecureSession) => {
      this.carry({ what: channel, from, to, bytes: session.seal(channel, Buffer.from(text)) });
    });
  }
}

const coordinator = identify('coordinator', 'x');

function two(): Wires {
  const wires = new Wires();
  wires.join('coordinator/x', coordinator);
  wires.join('w', identify('worker', 'w'));
  return wires;
}

describe('sessions', () => {
  it('carry messages both ways, in order, and only sealed', () => {
    const wires = two();
    wires.say('coordinator/x', 'w', 'one');
    wires.say('coordinator/x', 'w', 'two');
    wires.say('w', 'coordinator/x', 'three', 'control');
    expect(wires.got).toEqual([
      'coordinator/x to w: one',
      'coordinator/x to w: two',
      'w to coordinator/x: three',
    ]);
    expect(wires.all.some(({ bytes }) => bytes.includes('one') || bytes.includes('three'))).toBe(false);
    // One hello in all: its receiver needs none of its own.
    expect(wires.all.filter(({ what }) => what === 'hello')).toHaveLength(2);
  });

  it('open nothing again: not on the other channel, not sent back, not changed, not to another', () => {
    const wires = two();
    wires.join('v', identify('worker', 'v'));
    wires.say('coordinator/x', 'w', 'order');
    wires.say('coordinator/x', 'v', 'order');
    wires.say('w', 'coordinator/x', 'answer', 'control');
    const before = [...wires.got];
    const sealed = wires.all.filter(({ what }) => what !== 'hello');
    for (const one of [...sealed]) {
      wires.deliver(one);
      for (const what of ['tensor', 'control'] as const) {
        wires.deliver({ ...one, what });
        wires.deliver({ ...one, what, from: one.to, to: one.from });
        for (const to of ['v', 'w']) wires.deliver({ ...one, what, to });
        for (const from of ['v', 'w', 'coordinator/x', 'coordinator/y'])
          wires.deliver({ ...one, what, from });
      }
      for (let at = 0; at < one.bytes.length; at++) {
        const bytes = Buffer.from(one.bytes);
        bytes[at] = (bytes[at] ?? 0) ^ 1;
        wires.deliver({ ...one, bytes });
      }
      for (const size of [0, 7, 14, 29, one.bytes.length - 1]) {
        wires.deliver({ ...one, bytes: one.bytes.subarray(0, size) });
      }
    }
    expect(wires.got).toEqual(before);
    wires.say('coordinator/x', 'w', 'next');
    expect(wires.got.at(-1)).toBe('coordinator/x to w: next');
  });

  it('are made only with nodes that have a certificate of the cluster for their name', () => {
    const other = signerOf(newSigningKey());
    for (const [name, own] of [
      ['coordinator/x', identify('worker', 'guest')],
      ['coordinator/x', identify('coordinator', 'y')],
      ['coordinator/x', identify('coordinator', 'x', other)],
      ['v', identify('worker', 'guest')],
      ['coordinator/x', { ...identify('worker', 'guest'), certificate: coordinator.certificate }],
    ] as const) {
      const wires = new Wires();
      wires.join('w', identify('worker', 'w'));
      wires.join(name, own);
      wires.say(name, 'w', 'order');
      wires.say('w', name, 'tensor');
      expect(wires.got).toEqual([]);
      expect(wires.notes[0]).toContain('has no certificate of this cluster');
      expect(wires.all.filter(({ what }) => what !== 'hello')).toEqual([]);
    }
  });

  it('are not made by replayed hellos or by those for others: nothing from an earlier instance is opened', () => {
    const wires = two();
    wires.say('coordinator/x', 'w', 'order');
    wires.say('w', 'coordinator/x', 'answer');
    const old = [...wires.all];
    const before = [...wires.got];
    // The worker restarts, and all earlier messages to it are replayed in order.
    wires.nodes.get('w')?.close();
    wires.join('w', identify('worker', 'w'));
    for (const one of old) if (one.to === 'w') wires.deliver(one);
    expect(wires.got).toEqual(before);
    // The coordinator restarts too: earlier replies of the worker are not valid any more.
    wires.nodes.get('coordinator/x')?.close();
    wires.join('coordinator/x', coordinator);
    for (const one of old) wires.deliver(one);
    expect(wires.got).toEqual(before);
    wires.join('v', identify('worker', 'v'));
    // A hello is valid for one receiver only.
    const asked = wires.all.length;
    for (const one of old) if (one.what === 'hello') wires.deliver({ ...one, to: 'v' });
    expect(wires.all.slice(asked)).toEqual([]);
    wires.say('coordinator/x', 'w', 'again');
    expect(wires.got).toEqual([...before, 'coordinator/x to w: again']);
  });

  it('are renewed when a peer has a new instance, because it says so or because it does not know the old session', () => {
    const wires = two();
    wires.say('coordinator/x', 'w', 'one');
    const first = wires.nodes.get('coordinator/x')?.instanceOf('w');
    wires.nodes.get('w')?.close();
    wires.join('w', identify('worker', 'w'));
    // This message is lost, but it shows that the peer has a new instance.
    wires.say('coordinator/x', 'w', 'two');
    wires.say('coordinator/x', 'w', 'three');
    expect(wires.got).toEqual(['coordinator/x to w: one', 'coordinator/x to w: three']);
    const second = wires.nodes.get('coordinator/x')?.instanceOf('w');
    expect(second).not.toBe(first);
    wires.nodes.get('w')?.close();
    wires.join('w', identify('worker', 'w'));
    wires.nodes.get('coordinator/x')?.noteInstance('w', 'life 4');
    wires.say('coordinator/x', 'w', 'four');
    expect(wires.got.at(-1)).toBe('coordinator/x to w: four');
    // The same instance again changes nothing.
    const hellos = wires.all.length;
    wires.nodes.get('coordinator/x')?.noteInstance('w', 'life 4');
    wires.say('coordinator/x', 'w', 'five');
    expect(wires.all.slice(hellos).map(({ what }) => what)).toEqual(['tensor']);
  });

  it('are made even if hellos are lost; waiting messages go out in order, and an absent peer costs only its own', async () => {
    const wires = two();
    let lost = 0;
    wires.loses = ({ what }) => what === 'hello' && lost++ < 2;
    wires.say('coordinator/x', 'w', 'one');
    wires.say('coordinator/x', 'w', 'two');
    wires.say('coordinator/x', 'nobody', 'lost');
    expect(wires.got).toEqual([]);
    await until(() => wires.got.length === 2);
    expect(wires.got).toEqual(['coordinator/x to w: one', 'coordinator/x to w: two']);
  });

  it('are made even if replies are slower than repeated hellos', async () => {
    const wires = two();
    // Delayed until the sixth hello, as by a slow link or machine.
    const late: Carried[] = [];
    wires.loses = (one) => {
      if (one.what !== 'hello' || one.from !== 'w') return false;
      late.push(one);
      return true;
    };
    wires.say('coordinator/x', 'w', 'one');
    await until(() => late.length >= 6);
    wires.loses = () => false;
    for (const one of late) wires.deliver(one);
    wires.say('coordinator/x', 'w', 'two');
    wires.say('w', 'coordinator/x', 'three');
    expect(wires.got).toEqual([
      'coordinator/x to w: one',
      'coordinator/x to w: two',
      'w to coordinator/x: three',
    ]);
  });

  it('keep waiting messages within a bound', () => {
    const wires = two();
    const one = wires.nodes.get('coordinator/x');
    for (let at = 0; at < 30; at++) one?.withSession('nobody', 1e7, () => {});
    expect(wires.notes).toHaveLength(5);
    one?.close();
  });

  it('are made at a limited rate', () => {
    const wires = two();
    wires.say('coordinator/x', 'w', 'one');
    const hello = wires.all.find(({ what }) => what === 'hello');
    const answers = () => wires.all.filter(({ what, from }) => what === 'hello' && from === 'w').length;
    const before = answers();
    for (let at = 0; at < 200; at++) if (hello) wires.deliver(hello);
    expect(answers() - before).toBeLessThan(50);
    // Repeated hellos have not pushed out the session in use.
    wires.say('coordinator/x', 'w', 'two');
    expect(wires.got.at(-1)).toBe('coordinator/x to w: two');
  });
});
