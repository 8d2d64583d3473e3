// Answers in the order of beats, whatever order they come in; late and lost ones are counted and named.
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { signalTarget } from '../../data/internal.ts';
import type { Classifier } from '../../evaluate/internal.ts';
import { madeSignal, regularBeats } from '../../signal/test-support/made-signal.ts';
import { BedsideError } from '../../util/index.ts';
import type { Answerer } from './answerer.ts';
import { BedSession } from './bed-session.ts';
import type { StreamEvent } from './events.ts';

const classifier = {
  ...{ task: 'single-label', classes: 2, scores: 2, outputShape: [2], exclusive: true, probabilities: false },
} as unknown as Classifier;

it('tells answers in order, and loses none silently', async () => {
  let asked = 0;
  const answerer: Answerer = {
    lost: [],
    async answer() {
      const own = asked++;
      await setTimeout(5 * ((7 * own) % 4));
      if (own % 5 === 3) throw new BedsideError('E_DEADLINE', 'too late');
      if (own % 5 === 4) throw new BedsideError('E_LOST', 'a device is gone');
      const scores = Float32Array.of(own % 2, 0.5);
      return { scores, levels: [0], devices: ['a'], fallback: 'none', replanned: 0, confidence: 0.5 };
    },
  };
  const events: StreamEvent[] = [];
  const session = new BedSession(
    {
      ...{ answerer, classifier, classNames: ['V', 'N'], rules: {}, now: () => performance.now() },
      bed: { input: { target: signalTarget([1, 64]), rate: 250, shape: [1, 64] } },
      onEvent: (event) => events.push(event),
      load: { waiting: 0, most: 1000 },
    },
    { bed: 'a', source: 'test' },
  );
  const signal = madeSignal(regularBeats(60), { rate: 250, seconds: 60 });
  for (let from = 0; from < signal.length; from += 25) {
    session.push(
      { rate: 250, leads: new Map([['II', signal.subarray(from, from + 25)]]) },
      performance.now(),
    );
  }
  await session.end();
  const { beats, answered, late, lost, classes, reasons, latency, rhythm } = session.result();
  expect(beats).toBeGreaterThan(60);
  expect(answered + late + lost).toBe(beats);
  expect(late).toBe(Math.floor((asked + 1) / 5));
  expect(reasons).toEqual({ 'no answer by the deadline': late, 'E_LOST: a device is gone': lost });
  expect((classes.V ?? 0) + (classes.N ?? 0)).toBe(answered);
  const times = events.map(({ at }) => at);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(events.length).toBe(beats);
  expect(latency.p50).toBeGreaterThan(0.1);
  expect(latency.p99).toBeLessThan(2);
  expect(rhythm.heartRate?.mean).toBeCloseTo(75, -1);
});

it('says that too many beats wait, instead of keeping them all', async () => {
  const answerer: Answerer = { lost: [], answer: () => new Promise(() => {}) };
  const parts = {
    ...{
      answerer,
      classifier,
      classNames: ['V', 'N'],
      rules: {},
      now: () => performance.now(),
      onEvent: () => {},
    },
    bed: { input: { target: signalTarget([1, 64]), rate: 250, shape: [1, 64] } },
    load: { waiting: 10, most: 10 },
  };
  const session = new BedSession(parts, { bed: 'a', source: 'test' });
  const signal = madeSignal(regularBeats(20), { rate: 250, seconds: 20 });
  session.push({ rate: 250, leads: new Map([['II', signal]]) }, performance.now());
  await session.end();
  const { beats, lost, reasons } = session.result();
  expect(lost).toBe(beats);
  expect(reasons).toEqual({ '10 beats wait for answers already': beats });
});
