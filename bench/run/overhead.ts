// One request against the sum of what its stages compute, and the wire: in the asking process, on a worker, and cut in two.
import { stageCosts } from '../../src/bundle/index.ts';
import { Coordinator, type FloatTensor, LocalWorkers, type RunPlan } from '../../src/run/index.ts';
import { Device } from '../../src/run/internal.ts';
import { median, must } from '../../src/util/index.ts';
import type { ResultTable } from '../lib/results.ts';
import type { BenchModel } from './model.ts';
import { onEachFabric } from './places.ts';
import { wireSeconds } from './wire.ts';

const SOURCE = 'source';
const OTHER = 'other';

/** Seconds to spend on a row, and requests at least. */
const LONG_ENOUGH = 3;
const AT_LEAST = 100;
const WARM = 100;

interface Row {
  readonly model: string;
  readonly fabric: string;
  readonly plan: string;
  readonly request: number;
  readonly compute: number;
  /** What devices say that the same stages took in requests. */
  readonly inPlace: number;
  readonly wire: number;
}

/** Where the stages are; the first is always on the source. */
function plansOf({ manifest }: BenchModel['bundle']): readonly (readonly [string, RunPlan])[] {
  const levels = manifest.groups.map(() => 0);
  const from = (first: number): RunPlan => ({
    levels,
    stages: manifest.stages.map(({ index }) => ({
      index,
      segments: [{ device: index < first ? SOURCE : OTHER, from: 0, to: 1 }],
    })),
  });
  const { length } = manifest.stages;
  return [
    ['all in the asking process', from(length)],
    ['all in another process', from(0)],
    ['cut in the middle', from(Math.ceil(length / 2))],
  ];
}

/** Median seconds of what stages compute, as they run: whole ones that follow each other as one. */
async function computeSeconds({ bundle, inputs }: BenchModel, plan: RunPlan): Promise<number> {
  const devices = new Map([SOURCE, OTHER].map((name) => [name, new Device({ name }, [bundle])] as const));
  for (const device of devices.values()) await device.warm(bundle.sha256, plan);
  const seconds = await timed(inputs, async (input) => {
    let value = input;
    for (let stage = 0; stage < plan.stages.length; ) {
      const [segment] = must(plan.stages[stage], 'a stage').segments;
      const device = must(devices.get(must(segment, 'a segment').device), 'a device');
      const { output, last } = await device.run(
        'bench',
        { bundle: bundle.sha256, plan, stage, segment: 0 },
        value,
      );
      [value, stage] = [output, last + 1];
    }
  });
  for (const device of devices.values()) await device.close();
  return seconds;
}

async function timed(
  inputs: readonly FloatTensor[],
  run: (input: FloatTensor) => Promise<unknown>,
): Promise<number> {
  const seconds: number[] = [];
  const until = performance.now() + 1000 * LONG_ENOUGH;
  for (let at = 0; at < WARM + AT_LEAST || performance.now() < until; at++) {
    const input = must(inputs[at % inputs.length], 'an input');
    const start = performance.now();
    await run(input);
    if (at >= WARM) seconds.push((performance.now() - start) / 1000);
  }
  return median(seconds);
}

/** What the devices' latest requests took for the stages of a plan, by their own clocks. */
async function inPlaceSeconds(coordinator: Coordinator, bundle: string, plan: RunPlan): Promise<number> {
  const reports = new Map<string, readonly (readonly number[])[]>();
  for (const name of [SOURCE, OTHER]) {
    reports.set(name, (await coordinator.report(name)).seconds[bundle] ?? []);
  }
  return plan.stages.reduce((sum, { index, segments: [segment] }) => {
    const [unpruned = 0] = reports.get(segment?.device ?? '')?.[index] ?? [];
    return sum + unpruned;
  }, 0);
}

/** Bytes that leave the source and that come back to it. */
function bytesOf({ manifest }: BenchModel['bundle'], plan: RunPlan): [number, number] {
  const first = plan.stages.findIndex(({ segments }) => segments[0]?.device === OTHER);
  if (first < 0) return [0, 0];
  const input = 4 * manifest.model.input.shape.reduce((all, dim) => all * dim, 1);
  const there = first === 0 ? input : stageCosts(manifest, first - 1, plan.levels).outputBytes;
  return [there, 4 * manifest.model.output.classes];
}

/** The table of all models on every fabric. */
export async function overheadTable(models: readonly BenchModel[]): Promise<ResultTable> {
  const known = new Map<string, Pick<Row, 'compute' | 'wire'>>();
  for (const model of models) {
    for (const [name, plan] of plansOf(model.bundle)) {
      const [there, back] = bytesOf(model.bundle, plan);
      const wire = there === 0 ? 0 : await wireSeconds(there, back);
      known.set(`${model.bundle.manifest.name} ${name}`, {
        compute: await computeSeconds(model, plan),
        wire,
      });
    }
  }
  const rows = await onEachFabric(async ({ name: fabric, access }) => {
    const found: Row[] = [];
    for (const model of models) {
      const { bundle, inputs } = model;
      const workers = [SOURCE, OTHER].map((name) => ({ device: { name } }));
      const here = { device: SOURCE, bundles: [bundle] };
      await using room = await LocalWorkers.start(workers, [bundle.dir], here, access);
      const coordinator = new Coordinator('coordinator/bench', bundle);
      await coordinator.join(room.fabric);
      for (const [name, plan] of plansOf(bundle)) {
        await coordinator.warm(plan);
        const request = await timed(inputs, (input) => coordinator.infer(input, plan));
        const { compute, wire } = must(known.get(`${bundle.manifest.name} ${name}`), 'a plan');
        const inPlace = await inPlaceSeconds(coordinator, bundle.manifest.name, plan);
        found.push({ model: bundle.manifest.name, fabric, plan: name, request, compute, inPlace, wire });
      }
      await coordinator.close();
    }
    return found;
  });
  const ms = (seconds: number): string => (1000 * seconds).toFixed(3);
  return {
    title: 'Overhead of one request',
    columns: [
      'model',
      'fabric',
      'stages',
      'request, ms',
      'compute, ms',
      'in place, ms',
      'wire, ms',
      'the rest, ms',
      'rest / compute',
    ],
    rows: rows.flat().map(({ model, fabric, plan, request, compute, inPlace, wire }) => {
      const rest = request - compute - wire;
      return [
        ...[model, fabric, plan, ms(request), ms(compute), ms(inPlace), ms(wire), ms(rest)],
        `${((100 * rest) / compute).toFixed(1)} %`,
      ];
    }),
    note:
      'Medians, unpruned, one thread. Compute: the same sessions one after another in one process, with nothing between ' +
      'them; in place: what the devices took for them in the last requests, by their own clocks, after waiting for each. Wire: so many bytes there and back over a bare local socket between two processes that do nothing else. The rest: messages written, read and checked, and processes that wake up.',
  };
}
