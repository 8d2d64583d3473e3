// Packets of a NATS subject: a server that goes away and comes back is said, and packets go on.
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import { hasNatsServer, OpenServer } from '../../../run/nats/test-support/nats-server.ts';
import { natsSource } from './nats.ts';

it.skipIf(!hasNatsServer)('says when the server goes and comes back, and goes on', async () => {
  const first = await OpenServer.start();
  const [url = ''] = first.access.servers ?? [];
  const [notes, times, control]: [string[], (number | undefined)[], AbortController] = [
    [],
    [],
    new AbortController(),
  ];
  const sink = {
    packet: (_: string | undefined, { at }: { readonly at?: number | undefined }) => void times.push(at),
    malformed: (error: unknown) => void notes.push(String(error)),
    note: (text: string) => void notes.push(text),
    room: async () => {},
  };
  const until = async (isTrue: () => boolean): Promise<void> => {
    for (let i = 0; i < 500 && !isTrue(); i++) await sleep(20);
  };
  const send = async (at: number): Promise<void> => {
    const sender = await connect({ servers: url });
    sender.publish('ward.bed', JSON.stringify({ at, rate: 250, lead: 'II', samples: [0.1, 0.2] }));
    await sender.drain();
    await until(() => times.includes(at));
  };
  const running = natsSource('nats:ward.bed', 'ward.bed', { fabric: url }).run(sink, control.signal);
  await until(() => notes.length === 1);
  await send(1);
  await first[Symbol.asyncDispose]();
  await until(() => notes.length === 2);
  await using second = await OpenServer.start(Number(new URL(url).port));
  expect(second.access).toEqual(first.access);
  await until(() => notes.length === 3);
  await send(2);
  control.abort();
  await running;
  expect(times).toEqual([1, 2]);
  expect(notes).toEqual([
    'packets are taken from ward.bed',
    expect.stringContaining('is lost; reconnecting'),
    expect.stringContaining('is restored'),
  ]);
});
