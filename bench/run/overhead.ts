// One request against the sum of what its stages compute, and a bare round trip: in the asking process, on a worker, and cut in two.
import { stageCosts } from '../../src/bundle/index.ts';
import { Coordinator, type FloatTensor, LocalWorkers, type RunPlan } from '../../src/run/index.ts';
import { Device } from '../../src/run/internal.ts';
import { median, must } from '../../src/util/index.ts';
import type { ResultTable } from '../lib/results.ts';
import { openEcho } from './bare-echo.ts';
import type { BenchModel } from './model.ts';
import { type BenchPlace, onEachFabric } from './places.ts';

const SOURCE = 'source';
const OTHER = 'other';

/** Calls in a row before the next thing has its turn; turns that are not counted, and turns at least. */
const TURN = 20;
const WARM_TURNS = 10;
const LEAST_TURNS = 5;

interface Row {
  readonly model: string;
  readonly fabric: string;
  readonly plan: string;
  readonly request: number;
  readonly compute: number;
  /** What devices say that the same stages took in requests. */
  readonly inPlace: number;
  readonly bare: number;
  /** The same stages with nothing but a bare round trip between them. */
  readonly least: number;
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

/** What one call of a probe takes, collected in turns with the others: a busy moment meets all of them. */
interface Probe {
  readonly run: (input: FloatTensor) => Promise<unknown>;
  readonly seconds: number[];
}

/** Runs what stages compute, as they run: whole ones that follow each other as one. */
async function computing({ bundle }: BenchModel, plan: RunPlan) {
  const devices = new Map([SOURCE, OTHER].map((name) => [name, new Device({ name }, [bundle])] as const));
  for (const device of devices.values()) await device.warm(bundle.sha256, plan);
  const run = async (input: FloatTensor): Promise<void> => {
    let value = input;
    for (let stage = 0; stage < plan.stages.length; ) {
      const [segment] = must(plan.stages[stage], 'a stage').segments;
      const device = must(devices.get(must(segment, 'a segment').device), 'a device');
      const piece = { bundle: bundle.sha256, plan, stage, segment: 0 };
      const { output, last } = await device.run('bench', piece, value);
      [value, stage] = [output, last + 1];
    }
  };
  const close = async (): Promise<void> => {
    for (const device of devices.values()) await device.close();
  };
  return { run, close };
}

/** The same with the later stages behind a bare round trip: the least that a request can take. */
async function computingApart(model: BenchModel, plan: RunPlan, server: string | undefined) {
  const { dir, sha256 } = model.bundle;
  const there = await openEcho(bytesOf(model.bundle, plan), server, { bundle: dir, plan, device: OTHER });
  const device = new Device({ name: SOURCE }, [model.bundle]);
  await device.warm(sha256, plan);
  const isFirst = plan.stages[0]?.segments[0]?.device === SOURCE;
  const run = async (input: FloatTensor): Promise<void> => {
    const piece = { bundle: sha256, plan, stage: 0, segment: 0 };
    const { data } = isFirst ? (await device.run('bench', piece, input)).output : input;
    await there.once(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  };
  const close = async (): Promise<void> => {
    await there.close();
    await device.close();
  };
  return { run, close };
}

/** Lets the probes take turns. */
async function interleaved(
  probes: readonly Probe[],
  inputs: readonly FloatTensor[],
  seconds: number,
): Promise<void> {
  const until = performance.now() + 1000 * seconds * probes.length;
  for (let turn = 0; turn < WARM_TURNS + LEAST_TURNS || performance.now() < until; turn++) {
    for (const { run, seconds: taken } of probes) {
      for (let at = 0; at < TURN; at++) {
        const input = must(inputs[(turn * TURN + at) % inputs.length], 'an input');
        const start = performance.now();
        await run(input);
        if (turn >= WARM_TURNS) taken.push((performance.now() - start) / 1000);
      }
    }
  }
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

/** The rows of one model on one fabric, measured in turns. */
async function rowsOf(model: BenchModel, { name: fabric, access }: BenchPlace, seconds: number) {
  const { bundle, inputs } = model;
  const workers = [SOURCE, OTHER].map((name) => ({ device: { name } }));
  const here = { device: SOURCE, bundles: [bundle] };
  await using room = await LocalWorkers.start(workers, [bundle.dir], here, access);
  const coordinator = new Coordinator('coordinator/bench', bundle);
  await coordinator.join(room.fabric);
  const parts = [];
  for (const [name, plan] of plansOf(bundle)) {
    await coordinator.warm(plan);
    const sizes = bytesOf(bundle, plan);
    const isApart = sizes[0] > 0;
    const server = access?.servers?.[0];
    const echo = isApart ? await openEcho(sizes, server) : undefined;
    const apart = isApart ? await computingApart(model, plan, server) : undefined;
    const compute = await computing(model, plan);
    const probe = (run: Probe['run']): Probe => ({ run, seconds: [] });
    parts.push({
      ...{ name, plan, opened: [echo, apart, compute] },
      computed: probe(compute.run),
      request: probe((input) => coordinator.infer(input, plan)),
      bare: echo && probe(() => echo.once()),
      least: apart && probe(apart.run),
    });
  }
  const probes = parts.flatMap(({ computed, request, bare, least }) =>
    [computed, request, bare, least].filter((one) => one !== undefined),
  );
  await interleaved(probes, inputs, seconds);
  const rows: Row[] = [];
  for (const { name, plan, opened, computed, request, bare, least } of parts) {
    rows.push({
      ...{ model: bundle.manifest.name, fabric, plan: name },
      request: median(request.seconds),
      compute: median(computed.seconds),
      inPlace: await inPlaceSeconds(coordinator, bundle.manifest.name, plan),
      bare: bare ? median(bare.seconds) : 0,
      least: median((least ?? computed).seconds),
    });
    for (const one of opened) await one?.close();
  }
  await coordinator.close();
  return rows;
}

/** The table of all models on every fabric. @param seconds for each thing that is measured */
export async function overheadTable(models: readonly BenchModel[], seconds: number): Promise<ResultTable> {
  const rows = await onEachFabric(async (place) => {
    const found: Row[] = [];
    for (const model of models) found.push(...(await rowsOf(model, place, seconds)));
    return found;
  });
  const ms = (value: number): string => (1000 * value).toFixed(3);
  return {
    title: 'Overhead of one request',
    columns: [
      ...['model', 'fabric', 'stages', 'request, ms', 'compute, ms', 'in place, ms', 'bare round trip, ms'],
      ...['the rest, ms', 'rest / compute', 'least, ms', 'beyond the least, ms', 'of computing'],
    ],
    rows: rows.flat().map(({ model, fabric, plan, request, compute, inPlace, bare, least }) => {
      const [rest, beyond] = [request - compute - bare, request - least];
      const share = (seconds: number): string => `${((100 * seconds) / compute).toFixed(1)} %`;
      return [
        ...[model, fabric, plan, ms(request), ms(compute), ms(inPlace), ms(bare), ms(rest), share(rest)],
        ...[ms(least), ms(beyond), share(beyond)],
      ];
    }),
    note:
      `Medians, unpruned, one thread; all that is measured on a fabric takes turns of ${TURN} calls. Compute: the same ` +
      'sessions one after another in one process, with nothing between them; in place: what the devices took for them in ' +
      'the last requests, by their own clocks, after waiting for each. Bare round trip: so many bytes of tensors there and ' +
      'back between two processes that do nothing else, over a local socket, or over the NATS client library and the same ' +
      'server. The rest: messages written, read and checked, and processes that wake up. Least: the same sessions with ' +
      'such a bare round trip between them, so with two processes that fall asleep and wake up, and caches that are cold ' +
      'then; beyond it is what bedside adds.',
  };
}
