// Four emulated devices of unequal speed behind shaped links: distribution, pruning and both at equal accuracy.
import {
  COMPARED_FLOORS,
  type ComparedStrategy,
  compareStrategies,
  emulatedWorkers,
  measureDevices,
  withMeasuredTimes,
} from '../../src/app/index.ts';
import { type Fleet, fleetOf } from '../../src/plan/index.ts';
import { Coordinator, LocalWorkers } from '../../src/run/index.ts';
import { formatPercent, must } from '../../src/util/index.ts';
import type { ResultTable } from '../lib/results.ts';
import type { BenchModel } from './model.ts';
import { isFloat32, sendsInput, waysOf } from './ways.ts';

/** Times the speed of this machine; the first has the input. */
const SPEEDS = { monitor: 0.02, tablet: 0.06, gateway: 0.15, station: 0.3 };
const MBITS = [10, 50, 200];
const LATENCY = 0.001;

function fleetAt(mbit: number, macsPerSecond: number): Fleet {
  return fleetOf({
    format: 'bedside-fleet',
    version: 1,
    name: `${mbit} Mbit/s`,
    source: 'monitor',
    devices: Object.entries(SPEEDS).map(([name, speed]) => ({
      ...{ name, speed, memory: 2 ** 31, joulesPerMac: 1e-10, trusted: true },
      macsPerSecond: macsPerSecond * speed,
    })),
    network: { channel: 'independent', bytesPerSecond: (1e6 * mbit) / 8, latency: LATENCY },
  });
}

/** One way at one floor over links of one speed. */
type FoundWay = readonly [links: string, way: ComparedStrategy];

/** The ways of one model. */
export interface ComparedWays {
  readonly model: string;
  readonly ways: readonly FoundWay[];
  readonly table: ResultTable;
}

/** All ways of one model, with their table. @param requests that each plan is measured on */
export async function compareWays(model: BenchModel, requests: number): Promise<ComparedWays> {
  const { bundle, inputs, accuracyAt } = model;
  const { name, variants, accuracy } = bundle.manifest;
  const unpruned = must(variants[0], 'the unpruned network');
  const speed = unpruned.macs / (unpruned.seconds ?? 1e-2);
  const ways = waysOf(bundle.manifest);
  const fleets = MBITS.map((mbit) => fleetAt(mbit, speed));
  const [first] = fleets;
  const here = { device: 'monitor', bundles: [bundle] };
  await using room = await LocalWorkers.start(emulatedWorkers(must(first, 'a fleet')), [bundle.dir], here);
  const coordinator = new Coordinator('requester', bundle);
  await coordinator.join(room.fabric);
  const names = must(first, 'a fleet').devices.map(({ name }) => name);
  const { reports, failed } = await measureDevices(coordinator, names, false, () => {});
  for (const error of failed.values()) throw error;
  const rows: FoundWay[] = [];
  for (const fleet of fleets) {
    for (const { device, links } of emulatedWorkers(fleet)) room.setLinks(device.name, links ?? {});
    const found = await compareStrategies({
      ...{ bundle, coordinator, accuracyAt, privacy: 'strict', strategies: ways },
      fleet: withMeasuredTimes(fleet, name, reports),
      inputs: inputs.filter((_, at) => at % Math.floor(inputs.length / requests) === 0).slice(0, requests),
    });
    rows.push(...found.map((row): FoundWay => [fleet.name, row]));
    process.stderr.write(`${name}, ${fleet.name}: done\n`);
  }
  await coordinator.close();
  const shown = (fleet: string, strategy: string): string[] =>
    COMPARED_FLOORS.flatMap((floor) => {
      const found = rows.find(
        ([of, row]) => of === fleet && row.strategy === strategy && row.floor === floor,
      )?.[1].found;
      if (!found) return ['no plan', '', ''];
      const { devices, eightBit } = found;
      return [
        inMs(found),
        formatPercent(found.accuracy),
        `${devices}${eightBit.stages > 0 ? `, ${eightBit.stages} int8` : ''}${eightBit.wires > 0 ? `, ${eightBit.wires} uint8` : ''}`,
      ];
    });
  const table: ResultTable = {
    title: `${name}: milliseconds to the answer`,
    columns: [
      ...['links', 'way'],
      ...COMPARED_FLOORS.flatMap((floor) => [
        floor === 0 ? 'as unpruned' : `${100 * floor} point${floor > 0.01 ? 's' : ''} less`,
        'accuracy',
        'devices, stages in int8, tensors as uint8',
      ]),
    ],
    rows: fleets.flatMap((fleet) =>
      ways.map(({ strategy }) => [fleet.name, strategy, ...shown(fleet.name, strategy)]),
    ),
    note:
      `Medians of ${requests} requests, planned ones in brackets. Floors are of the bundle's own measure, on samples held apart ` +
      `(unpruned ${formatPercent(accuracy.unpruned)}); accuracies are balanced, on ${inputs.length} test samples that nothing was chosen on.`,
  };
  return { model: name, ways: rows, table };
}

/** What eight bits, and an input that travels as integers, gain over the best way without them. */
export function gainTable(compared: readonly ComparedWays[]): ResultTable {
  const rows: string[][] = [];
  for (const { model, ways } of compared) {
    for (const links of new Set(ways.map(([of]) => of))) {
      for (const floor of COMPARED_FLOORS) {
        const here = ways.flatMap(([of, way]) => (of === links && way.floor === floor ? [way] : []));
        const without = bestOf(here.filter(({ strategy }) => isFloat32(strategy)));
        const kept = bestOf(here.filter(({ strategy }) => !sendsInput(strategy)));
        const best = bestOf(here);
        if (!without?.found || !kept?.found || !best?.found) continue;
        const [before, beside, after] = [without.found, kept.found, best.found];
        rows.push([
          ...[model, links, floor === 0 ? 'as unpruned' : `${100 * floor} less`, without.strategy],
          ...[inMs(before), kept.strategy, inMs(beside), (before.measured / beside.measured).toFixed(2)],
          ...[best.strategy, inMs(after)],
          ...[(before.measured / after.measured).toFixed(2), (before.planned / after.planned).toFixed(2)],
        ]);
      }
    }
  }
  return {
    title: 'The best ways with eight bits beside the best one without',
    columns: [
      ...['model', 'links', 'points of accuracy', 'best without', 'ms', 'best, input kept', 'ms', 'times'],
      ...['best of all', 'ms', 'times as fast', 'planned'],
    ],
    rows,
    note:
      'Best by the measured medians, planned milliseconds in brackets. Input kept: the first stage runs on the source. Best of ' +
      'all: the input may go to any of the devices, all of which are trusted.',
  };
}

function bestOf(ways: readonly ComparedStrategy[]): ComparedStrategy | undefined {
  return ways
    .filter(({ found }) => found)
    .reduce<ComparedStrategy | undefined>((best, way) => {
      const [ours, its] = [best?.found?.measured ?? Number.POSITIVE_INFINITY, way.found?.measured ?? 0];
      return its < ours ? way : best;
    }, undefined);
}

function inMs({ measured, planned }: NonNullable<ComparedStrategy['found']>): string {
  return `${(1000 * measured).toFixed(1)} (${(1000 * planned).toFixed(1)})`;
}

/** The devices in words. */
export const ROOM = Object.entries(SPEEDS)
  .map(([name, speed]) => `${name} ${speed}`)
  .join(', ');
