// Records everything that each node receives while plans that follow privacy rules run.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bundle } from '../../bundle/index.ts';
import { canonicalGraph } from '../../onnx/internal.ts';
import {
  beamPlanner,
  buildProblem,
  type PlanView,
  PRIVACY_PRESETS,
  type RequestInput,
  viewPlan,
} from '../../plan/index.ts';
import { completeRequest, maxSeenOf } from '../../plan/internal.ts';
import { fleetOfDevices } from '../../plan/test-support/fleets.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import type { TensorMessage } from '../protocol/messages.ts';
import { onOneMachine, randomSample, splitBundle } from '../test-support/bundles.ts';
import { inOneProcess } from '../test-support/in-one-process.ts';
import { mixedNet } from '../test-support/mixed-net.ts';

const TRUSTED = ['source', 'monitor'];
const GUESTS = ['guest-1', 'guest-2', 'guest-3'];

let bundle: Bundle;
let fixture: Awaited<ReturnType<typeof inOneProcess>>;
beforeAll(async () => {
  bundle = splitBundle(canonicalGraph(mixedNet()));
  fixture = await inOneProcess(
    bundle,
    [...TRUSTED, ...GUESTS].map((name) => ({ name })),
  );
});
afterAll(() => fixture[Symbol.asyncDispose]());

/** A plan on a random fleet with fast guests, or undefined if there is none. */
async function planned(given: RequestInput, random: Random): Promise<PlanView | undefined> {
  const device = (name: string, trusted: boolean, macsPerSecond: number) => ({
    ...{ name, trusted, macsPerSecond: macsPerSecond * (0.5 + random.uniform()) },
  });
  const fleet = fleetOfDevices(
    [
      device('source', true, 2e6),
      device('monitor', true, 4e6),
      ...GUESTS.map((name) => device(name, false, 2e7)),
    ],
    { bytesPerSecond: 1e9 },
  );
  const request = completeRequest({ ...given, levels: 'free', accuracyFloor: 0, deadline: 3600 });
  const problem = buildProblem(bundle.manifest, fleet, request);
  const { decisions } = await beamPlanner.plan(problem.instance, { labels: 20_000 });
  return decisions && viewPlan(problem, decisions);
}

/**
 * By stage: the channels of its output that a device has received or computed, and their total. Stage -1 is the input.
 */
function seenBy(
  device: string,
  plan: PlanView,
  parts: readonly TensorMessage[],
): Map<number, [number, number]> {
  const segments = new Map<number, Set<number>>();
  const see = (stage: number, segment: number): void => {
    segments.set(stage, (segments.get(stage) ?? new Set()).add(segment));
  };
  for (const { stage, segment } of parts) see(stage, segment);
  plan.stages.forEach((stage, index) => {
    stage.segments.forEach((own, at) => {
      if (own.device === device) see(index, at);
    });
  });
  return new Map(
    [...segments].map(([stage, own]) => {
      if (stage < 0) return [stage, [1, 1]];
      const all = must(plan.stages[stage], 'a stage').segments;
      const channels = must(all.at(-1), 'a segment').to;
      // A partial sum is as large as the whole.
      if (bundle.manifest.stages[stage]?.split === 'partial-sums') return [stage, [channels, channels]];
      const count = all.reduce((sum, { from, to }, at) => sum + (own.has(at) ? to - from : 0), 0);
      return [stage, [count, channels]];
    }),
  );
}

/** Runs a plan, and returns what each guest saw. */
async function run(plan: PlanView, random: Random): Promise<Map<string, Map<number, [number, number]>>> {
  const input = randomSample(bundle, random);
  fixture.fabric.received.length = 0;
  const { logits } = await fixture.requester.infer(input, plan);
  const single = await onOneMachine(bundle, plan.levels, input);
  logits.data.forEach((value, at) => {
    expect(value).toBeCloseTo(single[at] ?? Number.NaN, 4);
  });
  const partsOf = (name: string): TensorMessage[] =>
    fixture.fabric.received.flatMap(({ to, message }) =>
      to === name && message.kind === 'part' ? [message] : [],
    );
  // The input reaches only the device of the first stage, whatever the message.
  const first = plan.stages[0]?.segments[0]?.device;
  expect(TRUSTED).toContain(first);
  for (const { to, message } of fixture.fabric.received) {
    const holds =
      message.kind === 'part' && (message.stage < 0 || message.tensor.data.includes(input.data[0] ?? 0));
    if (holds) expect(to).toBe(first);
  }
  return new Map(GUESTS.map((name) => [name, seenBy(name, plan, partsOf(name))]));
}

// Shares are rounded to whole channels, as segments are.
describe('what untrusted devices see', () => {
  it.each(PRIVACY_PRESETS)('is what the rule %s allows, inputs of their stages included', async (privacy) => {
    const random = new Random(PRIVACY_PRESETS.indexOf(privacy) + 1);
    const stages = bundle.manifest.stages.length;
    let guests = 0;
    const firsts = new Set<string | undefined>();
    for (let draw = 0; draw < 12; draw++) {
      const rawInput = draw % 3 === 0 ? 'trusted' : 'source';
      const plan = await planned({ privacy, rawInput }, random);
      if (!plan) continue;
      const first = plan.stages[0]?.segments[0]?.device;
      if (rawInput === 'source') expect(first).toBe('source');
      firsts.add(first);
      const maxSeen = maxSeenOf({ privacy }, stages);
      for (const seen of (await run(plan, random)).values()) {
        guests += seen.size;
        for (const [stage, [count, channels]] of seen) {
          expect(count).toBeLessThanOrEqual(stage < 0 ? 0 : Math.ceil(channels * (maxSeen[stage] ?? 0)));
        }
      }
    }
    expect(firsts.size).toBe(2);
    // Guests see nothing where nothing is allowed. Elsewhere they must see something, or the test would show nothing.
    if (privacy === 'strict') expect(guests).toBe(0);
    else expect(guests).toBeGreaterThan(5);
  });

  it('is at most a share of each tensor where only shares are allowed', async () => {
    const random = new Random(9);
    let shares = 0;
    for (let draw = 0; draw < 24; draw++) {
      const maxSeen = bundle.manifest.stages.map(() =>
        must([0.25, 0.5, 0.5, 1, 1, 1][random.integer(6)], 'a share'),
      );
      const plan = await planned({ maxSeen }, random);
      if (!plan) continue;
      for (const seen of (await run(plan, random)).values()) {
        for (const [stage, [count, channels]] of seen) {
          expect(count).toBeLessThanOrEqual(stage < 0 ? 0 : Math.ceil(channels * (maxSeen[stage] ?? 0)));
          if (count < channels) shares++;
        }
      }
    }
    expect(shares).toBeGreaterThan(3);
  });
});
